"""Databases of tenants, on the real engine."""

from __future__ import annotations

import pytest

from tests.support.engines import Engine, Refused
from tests.support.tenants import database, databases_of, listed, user
from trove.datastores import manifest_of
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.protocol import Account, DatabaseAccount

pytestmark = pytest.mark.engine


def test_databases_come_and_go(shared: Engine) -> None:
    databases = shared.parts.databases
    databases.create([database("first"), database("second")])
    assert {"first", "second"} <= set(databases_of(shared))
    with pytest.raises(AlreadyExists, match="'second'"):
        databases.create([database("third"), database("second")])
    assert "third" not in databases_of(shared), "nothing remains of a call that fails"
    with pytest.raises(AlreadyExists):
        databases.create([database("twice"), database("twice")])
    databases.delete("first")
    assert "first" not in databases_of(shared)
    with pytest.raises(NotFound, match="'first'"):
        databases.delete("first")


def test_nothing_remains_when_the_engine_refuses_a_later_database(shared: Engine) -> None:
    with pytest.raises(Invalid):
        shared.parts.databases.create(
            [database("well"), DatabaseAccount("ill", character_set="latin1", collate="no_such")]
        )
    assert not {"well", "ill"} & set(databases_of(shared))


def test_character_set_and_collation(shared: Engine) -> None:
    wanted = {"postgresql": ("SQL_ASCII", "C"), "mariadb": ("latin1", "latin1_german2_ci")}
    character_set, collate = wanted[shared.manager]
    shared.parts.databases.create([DatabaseAccount("coded", character_set, collate)])
    shared.parts.databases.create([DatabaseAccount("half_coded", character_set)])
    found = {d.name: d for d in shared.parts.accounts().databases}
    assert (found["coded"].character_set, found["coded"].collate) == (character_set, collate)
    assert found["half_coded"].character_set == character_set


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
    assert listed(shared)["worker"] == [], "a later database of this name is nobody's"
    with pytest.raises(Refused):
        shared.query("SELECT 1", user="worker", password="secret", database="busy")


def test_the_character_sets_that_may_be_asked_for_are_the_engines(shared: Engine) -> None:
    known = manifest_of(shared.manager).character_sets or frozenset()
    query = {
        "postgresql": "SELECT 1 WHERE pg_char_to_encoding('{}') BETWEEN 0 AND 34",
        "mariadb": "SELECT 1 FROM information_schema.collations WHERE character_set_name = '{}'",
    }[shared.manager]
    shared.parts.databases.create([database("sets")])
    shared.parts.users.create([user("asker", "sets")])
    who = {"user": "asker", "password": "secret", "database": "sets"}
    for name in known - {"utf8" if shared.manager == "mariadb" else ""}:  # MariaDB's own alias
        assert shared.query(query.format(name), **who), name
