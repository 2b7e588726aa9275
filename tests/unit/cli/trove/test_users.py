"""Lists of users: with hosts where the engine has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import Service

from .conftest import INSTANCE, PG, Result

ONE = f"/instances/{PG}"
USERS = [{"name": "joe", "host": "%", "databases": [{"name": "app"}]}]


@pytest.mark.parametrize(
    ("datastore", "has_hosts"),
    [({"user_hosts": False}, False), ({"user_hosts": True}, True), ({}, True)],
    ids=["without hosts", "with hosts", "of another service"],
)
def test_hosts_are_listed_where_they_mean_something(
    service: Service, trove: Callable[..., Result], datastore: dict[str, Any], has_hosts: bool
) -> None:
    known = INSTANCE["datastore"]
    kind = known | datastore
    service.give(ONE, {"instance": INSTANCE | {"datastore": kind}})
    service.give(f"{ONE}/users", {"users": USERS})
    listed = trove("user-list", "pg").out
    assert ("Host" in listed, "%" in listed) == (has_hosts, has_hosts)
    assert "joe" in listed and "app" in listed
    assert json.loads(trove("--json", "user-list", "pg").out) == USERS


def test_a_page_of_users_is_listed_by_the_names_of_the_instance(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.give(f"{ONE}/users", {"users": USERS})
    assert "joe" in trove("user-list", "pg", "--limit", "1").out
