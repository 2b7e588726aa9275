"""The tables of a new MariaDB are made beside other engines on the same machine."""

from __future__ import annotations

import pytest

from trove.datastores.base import Empty, Installation
from trove.testing.authority import Authority
from trove.testing.engines import Client, make_engine, make_spec, short_directory

pytestmark = [pytest.mark.engine, pytest.mark.only("mariadb")]


def test_no_directory_is_shared_with_other_servers(
    installation: Installation,
    client: Client,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each server that starts removes the temporary tables of the others from such a directory."""
    monkeypatch.setenv("TMPDIR", "/no/such/directory")
    with short_directory() as root:
        engine = make_engine(installation, make_spec(root, installation), client)
        authority.equip(engine.spec)
        engine.driver.prepare(Empty())
        assert engine.driver.is_prepared()
