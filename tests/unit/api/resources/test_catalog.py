"""How the catalog is shown."""

from __future__ import annotations

from typing import Any

import pytest

from trove.api.resources.catalog import flavor
from trove.providers.base import Flavor


class Links:
    """What a view needs of a call."""

    def links(self, collection: str, identity: str) -> list[Any]:
        return [f"{collection}/{identity}"]


@pytest.mark.parametrize(
    ("identity", "number"),
    [
        ("1", 1),
        ("0", 0),
        ("42", 42),
        ("999999999999999", 10**15 - 1),
        ("01", None),
        ("007", None),
        ("00", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("²", None),
        ("٣", None),
        ("1000000000000000", None),
        ("9" * 5000, None),
        ("small", None),
    ],
)
def test_an_id_is_a_number_only_where_it_is_written_the_same_way(
    identity: str, number: int | None
) -> None:
    call: Any = Links()
    shown = flavor(call, Flavor(identity, "name", memory=512, vcpus=1, disk=1))
    assert (shown.id, shown.str_id) == (number, identity)
