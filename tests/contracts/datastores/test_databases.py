"""Databases of tenants, on the real engine."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.engines import query, sql
from tests.support.tenants import database, databases_of, listed, tenant, user
from trove.datastores import manifest_of
from trove.errors import Invalid, NotFound
from trove.protocol import Account, DatabaseAccount
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_nothing_remains_when_the_engine_refuses_a_later_database(shared: Engine) -> None:
    with pytest.raises(Invalid):
        shared.parts.databases.create(
            [database("well"), DatabaseAccount("ill", character_set="latin1", collate="no_such")]
        )
    assert not {"well", "ill"} & set(databases_of(shared))


def test_character_set_and_collation(shared: Engine) -> None:
    character_set, collate = sql(shared).encoding
    shared.parts.databases.create([DatabaseAccount("coded", character_set, collate)])
    shared.parts.databases.create([DatabaseAccount("half_coded", character_set)])
    found = {d.name: d for d in shared.parts.accounts().databases}
    assert (found["coded"].character_set, found["coded"].collate) == (character_set, collate)
    assert found["half_coded"].character_set == character_set


@pytest.mark.only("postgresql")
def test_naming_the_default_is_naming_nothing(shared: Engine) -> None:
    spellings = {"utf8": None, "UTF-8": None, "unicode": None, "utf8mb4": "utf8mb4_unicode_ci"}
    shared.parts.databases.create([DatabaseAccount("usual_0")])
    for number, (character_set, collate) in enumerate(spellings.items(), 1):
        shared.parts.databases.create([DatabaseAccount(f"usual_{number}", character_set, collate)])
    found = {
        (each.character_set, each.collate)
        for each in shared.parts.accounts().databases
        if each.name.startswith("usual_")
    }
    assert found == {("UTF8", "C.UTF-8")}
    shared.parts.users.create([user("shouter", "usual_1")])
    who: dict[str, Any] = {"user": "shouter", "password": "secret", "database": "usual_1"}
    assert query(shared, "SELECT upper('é'), 'É' ILIKE 'é'", **who) == [("É", True)]


@pytest.mark.only("mariadb")
def test_time_zones_have_names(shared: Engine) -> None:
    who = tenant(shared, "zoned")
    summer = "SELECT CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin') = '2026-07-01 14:00'"
    assert query(shared, summer, **who) == [(1,)]
    zone = "SET STATEMENT time_zone = 'Europe/Berlin' FOR SELECT @@time_zone, @@global.time_zone"
    assert query(shared, zone, **who) == [("Europe/Berlin", "+00:00")]


@pytest.mark.only("postgresql")
def test_time_zones_can_be_listed(shared: Engine) -> None:
    who = tenant(shared, "zones")
    ((number,),) = query(shared, "SELECT count(*) FROM pg_timezone_names", **who)
    assert int(str(number)) > 300


@pytest.mark.only("mariadb")
def test_every_collation_of_the_engine_is_known(shared: Engine) -> None:
    who = tenant(shared, "collated")
    manifest = manifest_of("mariadb")
    known = (manifest.collations or "", *(pattern for pattern, _ in manifest.newer_collations))
    for name, *_ in query(shared, "SHOW COLLATION", **who):
        assert any(re.fullmatch(pattern, str(name)) for pattern in known), name


def test_the_engines_own_databases_and_users_are_not_there(shared: Engine) -> None:
    manifest = manifest_of(shared.manager)
    for name in manifest.database_names.reserved:
        with pytest.raises(NotFound):
            shared.parts.databases.delete(name)
    for name in (manifest.root_name, "os_admin"):
        with pytest.raises(NotFound):
            shared.parts.users.delete(Account(name, "localhost" if name == "os_admin" else None))
    assert not manifest.user_names.reserved & set(listed(shared))
    assert not manifest.database_names.reserved & set(databases_of(shared))


def test_a_database_in_use_goes(shared: Engine) -> None:
    shared.parts.databases.create([database("busy")])
    shared.parts.users.create([user("worker", "busy")])
    link = shared.connect(user="worker", password="secret", database="busy")
    link.cursor().execute("CREATE TABLE t (x int)")
    link.cursor().execute("INSERT INTO t VALUES (1)")
    shared.parts.databases.delete("busy")
    link.close()
    assert "busy" not in databases_of(shared)
    shared.parts.databases.create([database("busy")])
    assert listed(shared)["worker"] == [], "no one has grants on a later database of this name"
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="worker", password="secret", database="busy")


def test_the_character_sets_of_the_manifest_are_the_engines(shared: Engine) -> None:
    known = manifest_of(shared.manager).character_sets or frozenset()
    who = tenant(shared, "sets")
    for name in known - sql(shared).aliases:
        assert query(shared, sql(shared).character_set.format(name), **who), name
