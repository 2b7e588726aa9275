"""The example of a datastore outside of Trove passes the contract of the parts that it has."""

from __future__ import annotations

import pytest

from tests.contracts.examples.conftest import EXAMPLE
from trove.datastores import datastore_of, datastores
from trove.datastores.parts import Part, Parts
from trove.errors import NotSupported
from trove.testing.datastores import DriverContract, TlsContract, has, write
from trove.testing.engines import Engine


class TestDriver(DriverContract):
    """Its process."""


class TestTls(TlsContract):
    """Its certificates."""


def test_it_is_found_by_its_entry_point(installed: None) -> None:
    assert datastores()["memcached"] is datastore_of("memcached")
    assert [part for part in Part if datastore_of("memcached").has(part)] == [Part.TLS]


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
def test_what_it_lacks_is_not_supported(shared: Engine) -> None:
    assert shared.parts.accounts().databases == []
    for part in ("databases", "users", "root"):
        with pytest.raises(NotSupported, match=f"memcached has no {part}"):
            getattr(Parts(shared.parts.datastore, shared.spec), part)


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
def test_nothing_is_kept_over_a_restart(idle: Engine) -> None:
    idle.driver.start()
    write(idle, "lost")
    assert has(idle, "lost")
    idle.driver.stop()
    idle.driver.start()
    assert not has(idle, "lost")


def test_it_is_short() -> None:
    lines = [line for path in EXAMPLE.rglob("*.py") for line in path.read_text().splitlines()]
    assert len([line for line in lines if line.strip()]) < 150
