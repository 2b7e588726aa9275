"""Users, their passwords and their grants, on the real engine."""

from __future__ import annotations

import pytest

from tests.support.engines import FAILED_LINK, module_of, query, rows_of, sql
from tests.support.tenants import (
    database,
    databases_of,
    listed,
    other_tables,
    outside_transaction,
    user,
)
from trove.datastores import manifest_of
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_a_user_works_in_the_granted_database_alone(shared: Engine) -> None:
    shared.parts.databases.create([database("a_b"), database("axb")])
    shared.parts.users.create([user("ann", "a_b"), user("bob", "a_b"), user("eve", "axb")])
    assert listed(shared)["ann"] == ["a_b"]
    query(shared, "CREATE TABLE t (x int)", user="ann", password="secret", database="a_b")
    query(shared, "INSERT INTO t VALUES (42)", user="bob", password="secret", database="a_b")
    rows = query(shared, "SELECT x FROM t", user="ann", password="secret", database="a_b")
    assert rows == [(42,)]
    for who, where in (("ann", "axb"), ("eve", "a_b")):
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user=who, password="secret", database=where)


def test_a_grant_is_the_whole_of_a_database(shared: Engine) -> None:
    shared.parts.databases.create([database("home"), database("dropped")])
    shared.parts.users.create([user("dropper", "home", "dropped")])
    who = {"user": "dropper", "password": "secret", "database": "home"}
    outside_transaction(shared, "DROP DATABASE dropped", **who)
    assert "dropped" not in databases_of(shared)
    shared.parts.databases.create([database("dropped")])
    shared.parts.users.delete(user("dropper"))
    assert "dropped" in databases_of(shared)


def test_a_user_without_a_grant_gets_into_no_database(shared: Engine) -> None:
    shared.parts.databases.create([database("closed")])
    shared.parts.users.create([user("grantless")])
    assert listed(shared)["grantless"] == []
    for name in ["closed", *sql(shared).own_databases]:
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user="grantless", password="secret", database=name)


def test_users_are_made_all_or_none(shared: Engine) -> None:
    shared.parts.databases.create([database("all_none")])
    shared.parts.users.create([user("there")])
    with pytest.raises(AlreadyExists, match="there"):
        shared.parts.users.create([user("fresh"), user("there")])
    with pytest.raises(NotFound, match="'no_such'"):
        shared.parts.users.create([user("fresh", "all_none"), user("fresh2", "no_such")])
    with pytest.raises(Invalid):
        shared.parts.users.create([user("fresh", "all_none"), user(sql(shared).refused_user)])
    assert not {"fresh", "fresh2"} & set(listed(shared))


def test_hosts_of_users(shared: Engine) -> None:
    shared.parts.databases.create([database("hosts")])
    if not manifest_of(shared.manager).user_hosts:
        shared.parts.users.create([user("homely", "hosts")])
        with pytest.raises(Invalid, match="host"):
            shared.parts.users.update(user("homely"), new_host="10.0.0.1")
        return
    shared.parts.users.create([user("homely", "hosts", host="127.%")])
    shared.parts.users.create([user("homely", "hosts", password="far", host="10.%")])
    assert query(shared, "SELECT 1", user="homely", password="secret", database="hosts")
    shared.parts.users.update(user("homely", host="127.%"), new_host="192.168.%")
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="homely", password="secret", database="hosts")
    found = {(u.name, u.host) for u in shared.parts.accounts().users}
    assert {("homely", "192.168.%"), ("homely", "10.%")} <= found
    shared.parts.users.delete(user("homely", host="10.%"))
    with pytest.raises(NotFound):
        shared.parts.users.delete(user("homely", host="10.%"))


def test_grants_come_and_go(shared: Engine) -> None:
    shared.parts.databases.create([database("g1"), database("g2")])
    shared.parts.users.create([user("granted")])
    shared.parts.users.grant(user("granted"), ["g1", "g2"])
    shared.parts.users.grant(user("granted"), ["g1"])
    assert listed(shared)["granted"] == ["g1", "g2"]
    other_tables(shared, ["g1", "g2"], "granted")
    link = shared.connect(user="granted", password="secret", database="g1")
    shared.parts.users.revoke(user("granted"), "g1")
    assert listed(shared)["granted"] == ["g2"]
    with pytest.raises(Exception, match=FAILED_LINK):
        for _ in range(50):
            link.cursor().execute("SELECT 1")
    link.close()
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="granted", password="secret", database="g1")
    with pytest.raises(NotFound):
        shared.parts.users.revoke(user("granted"), "g1")
    with pytest.raises(NotFound):
        shared.parts.users.revoke(user("no_such"), "g1")
    with pytest.raises(NotFound):
        shared.parts.users.grant(user("granted"), ["no_such"])
    with pytest.raises(NotFound):
        shared.parts.users.grant(user("no_such"), ["g1"])


def test_a_user_goes_and_the_data_stays(shared: Engine) -> None:
    shared.parts.databases.create([database("kept1"), database("kept2")])
    shared.parts.users.create([user("creator", "kept1", "kept2"), user("heir", "kept1", "kept2")])
    other_tables(shared, ["kept1", "kept2"], "creator")
    link = shared.connect(user="creator", password="secret", database="kept1")
    shared.parts.users.delete(user("creator"))
    with pytest.raises(Exception, match=FAILED_LINK):
        for _ in range(50):
            link.cursor().execute("SELECT 1")
    link.close()
    assert "creator" not in listed(shared)
    for name in ("kept1", "kept2"):
        query(shared, "INSERT INTO t VALUES (1)", user="heir", password="secret", database=name)
        query(shared, "DROP TABLE t", user="heir", password="secret", database=name)
    with pytest.raises(NotFound):
        shared.parts.users.delete(user("creator"))


@pytest.mark.only("mariadb")
def test_a_grant_that_root_wrote_is_revoked_too(shared: Engine) -> None:
    """Root writes no backslash before _, and lets others grant; MariaDB keeps both."""
    session = module_of("mariadb", "session")
    shared.parts.databases.create([database("by_hand"), database("by_hand_2")])
    shared.parts.users.create([user("hand", "by_hand_2")])
    with session.session(shared.spec) as link:
        link.cursor().execute("CREATE ROLE hands")
        for grantee in ("hand", "hands"):
            text = f"GRANT ALL ON `by_hand`.* TO {grantee}"
            link.cursor().execute(f"{text} WITH GRANT OPTION" if grantee == "hand" else text)
    shared.parts.users.grant(user("hand"), ["by_hand"])
    assert listed(shared)["hand"] == ["by_hand", "by_hand_2"]
    shared.parts.users.revoke(user("hand"), "by_hand")
    assert listed(shared)["hand"] == ["by_hand_2"]
    with session.session(shared.spec) as link:
        link.cursor().execute("GRANT SELECT ON `by_hand`.* TO hand")
    shared.parts.databases.delete("by_hand")
    assert listed(shared)["hand"] == ["by_hand_2"]
    with session.session(shared.spec) as link:
        assert rows_of(link, "SELECT User FROM mysql.db WHERE Db = 'by_hand'") == []
