"""The engine's superuser, as far as tenants may have it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from psycopg import errors

from tests.support.engines import query, sql
from tests.support.tenants import (
    HARD_PASSWORD,
    databases_of,
    listed,
    other_tables,
    outside_transaction,
    restart,
    user,
)
from trove.datastores import manifest_of
from trove.datastores.base import Complains
from trove.errors import Unavailable
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
    restart(shared)
    assert driver.complaint() is None
    shared.parts.root.disable()
    shared.parts.databases.create([DatabaseAccount("repaired")])
    shared.parts.databases.delete("repaired")
    logs = "".join(path.read_text(errors="replace") for path in shared.spec.logs.glob("*"))
    assert "IDENTIFIED" not in logs


@pytest.mark.only("postgresql")
@pytest.mark.parametrize(
    "damage",
    [
        ["ALTER ROLE os_admin RENAME TO mine"],
        ["ALTER ROLE os_admin RENAME TO mine", "CREATE ROLE os_admin LOGIN"],
        ["ALTER ROLE os_admin NOLOGIN"],
        ["ALTER ROLE os_admin PASSWORD 'stolen'"],
        ["ALTER ROLE os_admin PASSWORD NULL"],
        ["ALTER ROLE os_admin VALID UNTIL '2001-01-01'"],
        ["UPDATE pg_authid SET rolsuper = false, rolcreaterole = false WHERE oid = 10"],
        ["ALTER ROLE os_admin NOSUPERUSER CONNECTION LIMIT 0"],
        ["ALTER DATABASE postgres ALLOW_CONNECTIONS false"],
        ["ALTER DATABASE postgres RENAME TO mine"],
        ["ALTER SYSTEM SET hba_file = '/dev/null'"],
        ["ALTER SYSTEM SET unix_socket_directories = '/nowhere'", "ALTER SYSTEM SET port = 1"],
    ],
    ids=lambda damage: damage[-1][:40],
)
def test_a_start_repairs_what_root_has_done_to_the_administrator(
    shared: Engine, damage: list[str]
) -> None:
    shared.parts.databases.create([DatabaseAccount("other")])
    shared.parts.root.enable("powerful")
    is_refused = not do(shared, damage)
    driver = shared.parts.driver
    assert isinstance(driver, Complains)
    is_seen = not (is_refused or damage[0].startswith("ALTER SYSTEM"))
    if is_seen:
        for use in (shared.parts.accounts, lambda: shared.parts.databases.delete("other")):
            with pytest.raises(Unavailable, match="restart the instance to have it repaired"):
                use()
    assert driver.state() is EngineState.RUNNING
    assert ("restart the instance" in (driver.complaint() or "")) is is_seen
    restart(shared)
    assert driver.complaint() is None
    shared.parts.root.disable()
    shared.parts.databases.delete("other")
    logs = "".join(path.read_text(errors="replace") for path in shared.spec.logs.glob("*"))
    assert "SCRAM-SHA" not in logs


def do(engine: Engine, statements: list[str]) -> bool:
    """Whether root may: newer servers keep their first superuser from some of it."""
    with closing(engine.connect(user="postgres", password="powerful", database="other")) as link:
        link.autocommit = True
        for statement in statements:
            try:
                link.cursor().execute(statement)
            except errors.Error as error:
                assert "bootstrap" in str(error), error
                return False
    return True
