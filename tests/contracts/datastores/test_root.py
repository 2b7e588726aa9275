"""The engine's superuser, as far as tenants may have it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engines import query, sql
from tests.support.tenants import (
    HARD_PASSWORD,
    databases_of,
    listed,
    other_tables,
    outside_transaction,
    user,
)
from trove.datastores import manifest_of
from trove.datastores.base import Complains
from trove.protocol import DatabaseAccount, EngineState
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_root_is_locked_until_enabled(shared: Engine) -> None:
    root = manifest_of(shared.manager).root_name
    for password in ("", root, "secret"):
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user=root, password=password)
    assert not shared.parts.accounts().root_enabled
    assert shared.parts.root.enable(HARD_PASSWORD) == root
    assert shared.parts.accounts().root_enabled
    assert root not in listed(shared)
    who: dict[str, Any] = {"user": root, "password": HARD_PASSWORD}
    outside_transaction(shared, "CREATE DATABASE made_by_root", **who)
    if sql(shared).open_to_all:
        query(shared, sql(shared).open_to_all, **who)
    assert "made_by_root" in databases_of(shared)
    shared.parts.users.create([user("guest", "made_by_root")])
    other_tables(shared, ["made_by_root"], "guest")
    assert shared.parts.root.enable("again") == root
    assert query(shared, "SELECT 1", user=root, password="again")
    shared.parts.root.disable()
    assert not shared.parts.accounts().root_enabled
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user=root, password="again")
    shared.parts.root.disable()


@pytest.mark.only("mariadb")
@pytest.mark.parametrize(
    "damage",
    [
        "DROP USER os_admin@localhost",
        "ALTER USER os_admin@localhost ACCOUNT LOCK",
        "ALTER USER os_admin@localhost IDENTIFIED BY 'stolen'",
        "REVOKE ALL PRIVILEGES, GRANT OPTION FROM os_admin@localhost",
    ],
)
def test_a_start_repairs_the_administrator_that_root_has_harmed(
    shared: Engine, damage: str
) -> None:
    shared.parts.root.enable("powerful")
    outside_transaction(shared, damage, user="root", password="powerful")
    driver = shared.parts.driver
    assert isinstance(driver, Complains)
    assert driver.state() is EngineState.RUNNING
    # What it may do is not seen by a login.
    complaint = driver.complaint()
    assert damage.startswith("REVOKE") or "restart the instance" in (complaint or "")
    driver.stop()
    driver.configure()
    driver.start()
    assert driver.state() is EngineState.RUNNING
    assert driver.complaint() is None
    shared.parts.root.disable()
    shared.parts.databases.create([DatabaseAccount("repaired")])
    shared.parts.databases.delete("repaired")
    logs = "".join(path.read_text(errors="replace") for path in shared.spec.logs.glob("*"))
    assert "IDENTIFIED" not in logs
