"""What an engine allows, by the rules of its manifest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trove.datastores import manifest_of
from trove.datastores.base import NameRules
from trove.errors import Invalid, Reserved
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.services.account_rules import (
    check_databases,
    check_host,
    check_name,
    check_password,
    check_users,
    rules_of,
    visible,
)
from trove.settings import ApiSettings, Settings

RULES = NameRules(8, forbidden="'", reserved=frozenset({"root"}), reserved_prefixes=("pg_",))
POSTGRESQL = manifest_of("postgresql")
MARIADB = manifest_of("mariadb")


@pytest.mark.parametrize("name", ["a", "a b", "ünïcode"[:6], "12345678", "a.b@c"])
def test_good_names(name: str) -> None:
    check_name(RULES, name, "name")


@pytest.mark.parametrize("name", ["", " a", "a ", "123456789", "ääääa", "it's", "a\n", "a\0b"])
def test_bad_names(name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        check_name(RULES, name, "name")


@pytest.mark.parametrize("name", ["root", "ROOT", "pg_x", "PG_X"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(Reserved):
        check_name(RULES, name, "name")


@pytest.mark.parametrize("password", [None, "", "a\nb", "a\0b", "x" * 5000])
def test_bad_passwords_are_not_shown(password: str | None) -> None:
    with pytest.raises(Invalid) as raised:
        check_password(POSTGRESQL, password)
    assert "users.password" in raised.value.message
    assert not password or password not in raised.value.message


@pytest.mark.parametrize(
    "host", [None, "%", "10.0.0.1", "10.0.0.0/255.255.255.0", "10.0.%", "10.0.0._"]
)
def test_good_hosts(host: str | None) -> None:
    check_host(MARIADB, host)


@pytest.mark.parametrize(
    "host", ["", "10.0.0.0/24", "example.org", "10.0.0.300", "exa%mple", "10.0.0.1;%"]
)
def test_bad_hosts(host: str) -> None:
    with pytest.raises(Invalid, match=r"users\.host"):
        check_host(MARIADB, host)


def test_host_names_where_they_are_allowed() -> None:
    check_host(MARIADB, "example.org", valid_ip=False)
    for host in ("two words", "x" * 500, "tab\t"):
        with pytest.raises(Invalid, match=r"users\.host"):
            check_host(MARIADB, host, valid_ip=False)


def test_an_engine_without_hosts() -> None:
    with pytest.raises(Invalid, match="no hosts"):
        check_host(POSTGRESQL, "10.0.0.1")


def test_nothing_twice() -> None:
    with pytest.raises(Invalid, match="twice"):
        check_databases(POSTGRESQL, [DatabaseAccount("a"), DatabaseAccount("a")])
    joe = Account("joe", password="secret-1")
    with pytest.raises(Invalid, match="twice"):
        check_users(POSTGRESQL, [joe, joe])
    here = Account("joe", host="10.0.0.1", password="secret-1")
    check_users(MARIADB, [joe, here])


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "BINARY", "uca1400_ai_ci", "latin1_bin"])
def test_good_collations(collation: str) -> None:
    check_databases(MARIADB, [DatabaseAccount("a", collate=collation)])
    check_databases(POSTGRESQL, [DatabaseAccount("a", collate="de_DE.UTF-8")])


@pytest.mark.parametrize("name", [".", "..", "a?b", "#a", "a%41"])
def test_databases_that_clients_would_mistake(name: str) -> None:
    with pytest.raises(Invalid, match=r"databases\.name.*means something else in URLs"):
        check_databases(POSTGRESQL, [DatabaseAccount(name)])


def test_users_that_clients_would_mistake() -> None:
    check_users(POSTGRESQL, [Account("a%b?", password="secret-1")])
    with pytest.raises(Invalid, match=r"users\.name.*means something else in URLs"):
        check_users(POSTGRESQL, [Account("..", password="secret-1")])


def test_mariadbs_identifiers_are_of_the_basic_plane() -> None:
    check_databases(MARIADB, [DatabaseAccount("✓")])
    check_databases(POSTGRESQL, [DatabaseAccount("🐘")])
    with pytest.raises(Invalid, match=r"databases\.name: '🐘' has '🐘'"):
        check_databases(MARIADB, [DatabaseAccount("🐘")])
    with pytest.raises(Invalid, match=r"users\.name"):
        check_users(MARIADB, [Account("🐘", password="secret-1")])


def test_a_collation_of_no_character_set() -> None:
    with pytest.raises(Invalid, match=r"databases\.collate: MariaDB has no collation 'klingon'"):
        check_databases(MARIADB, [DatabaseAccount("a", collate="klingon")])


def test_operators_reserve_more_names() -> None:
    own = {"mariadb": {"ignore_dbs": " Watch,, ", "ignore_users": ""}}
    settings = Settings(api=ApiSettings(ignore_users=("probe",)), datastores=own)
    rules = rules_of(settings, "mariadb")
    assert rules.database_names.reserved == MARIADB.database_names.reserved | {"watch"}
    assert rules.user_names.reserved == MARIADB.user_names.reserved | {"probe"}
    assert rules_of(settings, "postgresql").database_names == POSTGRESQL.database_names
    assert rules_of(Settings(), "mariadb") == MARIADB


def test_what_is_reserved_is_not_visible() -> None:
    reported = Accounts(
        databases=[DatabaseAccount("app"), DatabaseAccount("mysql")],
        users=[Account("ann", "%", ["app", "mysql"]), Account("Root", "%")],
        root_enabled=True,
    )
    seen = visible(MARIADB, reported)
    assert [database.name for database in seen.databases] == ["app"]
    assert [(user.name, user.databases) for user in seen.users] == [("ann", ["app"])]
    assert seen.root_enabled
    assert reported.users[0].databases == ["app", "mysql"]


def test_character_sets() -> None:
    for manifest in (POSTGRESQL, MARIADB):
        check_databases(manifest, [DatabaseAccount("a", character_set="UTF8")])
        with pytest.raises(Invalid, match=r"databases\.character_set"):
            check_databases(manifest, [DatabaseAccount("a", character_set="klingon")])
    anything = replace(POSTGRESQL, character_sets=None)
    check_databases(anything, [DatabaseAccount("a", character_set="klingon")])
