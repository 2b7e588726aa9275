"""The shipped contract, run on every engine of this machine for the parts that it has."""

from __future__ import annotations

import pytest

from trove.datastores import datastores
from trove.datastores.discovery import installed_engines
from trove.datastores.parts import Part
from trove.testing.datastores import (
    DatabasesContract,
    DriverContract,
    RootContract,
    TlsContract,
    UsersContract,
)


@pytest.mark.engine
def test_every_datastore_is_here_to_be_tested() -> None:
    assert {i.manager for i in installed_engines()} >= set(datastores())


class TestDriver(DriverContract):
    """Every engine has one."""


@pytest.mark.parts(Part.TLS)
class TestTls(TlsContract):
    """Of engines with TLS."""


@pytest.mark.parts(Part.DATABASES)
class TestDatabases(DatabasesContract):
    """Of engines with databases."""


@pytest.mark.parts(Part.USERS)
class TestUsers(UsersContract):
    """Of engines with users."""


@pytest.mark.parts(Part.ROOT)
class TestRoot(RootContract):
    """Of engines with a superuser that a tenant may enable."""
