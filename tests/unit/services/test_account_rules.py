"""What an engine allows, by the rules of its manifest."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.datastores import manifest_of
from trove.datastores.base import NameRules
from trove.errors import Invalid, Reserved
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.services.account_rules import (
    check_databases,
    check_host,
    check_locales,
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
    "host",
    [
        *(None, "%", "10.0.0.1", "10.0.0.0/255.255.255.0", "10.0.%", "10.0.0._", "10.%.%.1"),
        *("127.0.0.0/255.0.0.0", "0.0.0.0/0.0.0.0", "10.0.0.1/255.255.255.255", "10.1_.%"),
        *("fe80::%", "fe80::1", "1%", "_.0.0.1"),
    ],
)
def test_good_hosts(host: str | None) -> None:
    check_host(MARIADB, host)


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("127.0.0.1/255.0.0.0", "127.0.0.0/255.0.0.0"),
        ("10.0.0.0/24", "10.0.0.0/255.255.255.0"),
        ("10.0.0.5/24", "10.0.0.0/255.255.255.0"),
        ("127.0.0.0/0.255.255.255", "10.0.0.0/255.255.255.0"),
        ("127.%/255.0.0.0", "10.0.0.0/255.255.255.0"),
        ("127.0.0.0/255.0.255.0", "10.0.0.0/255.255.255.0"),
        ("127.0.0.0/", "10.0.0.0/255.255.255.0"),
        ("fe80::/64", "10.0.0.0/255.255.255.0"),
        ("10.0.0.0/33", "10.0.0.0/255.255.255.0"),
        ("300.%", "10.0.%"),
        ("10.010.%", "10.0.%"),
        ("10.0.0.0.%", "10.0.%"),
        ("10._", "10.0.0._"),
    ],
)
def test_hosts_that_no_client_has(host: str, right: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_host(MARIADB, host)
    assert raised.value.message.startswith(f"users.host: {host!r} would never match: ")
    assert right in raised.value.message


@given(
    address=st.integers(0, 2**32 - 1).map(IPv4Address),
    mask=st.one_of(
        st.integers(0, 32).map(lambda bits: IPv4Network(f"0.0.0.0/{bits}").netmask),
        st.integers(0, 2**32 - 1).map(IPv4Address),
    ),
)
def test_a_range_is_accepted_exactly_if_it_has_clients(
    address: IPv4Address, mask: IPv4Address
) -> None:
    """The rule of the engine, for masks that are bits in a row."""
    inverse = ~int(mask) & 0xFFFFFFFF
    is_right = inverse & (inverse + 1) == 0 and int(address) & int(mask) == int(address)
    with nullcontext() if is_right else pytest.raises(Invalid):
        check_host(MARIADB, f"{address}/{mask}")


@pytest.mark.parametrize("host", ["", "example.org", "10.0.0.300", "exa%mple", "10.0.0.1;%"])
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


@pytest.mark.parametrize(
    "collation",
    [
        *("utf8mb4_bin", "BINARY", "uca1400_ai_ci", "latin1_bin", "utf8_general_ci"),
        *("utf8mb4_unicode_520_nopad_ci", "latin7_general_cs", "cp1250_czech_cs"),
        *("utf8mb4_uca1400_turkish_as_ci", "utf8mb4_0900_ai_ci", "utf8mb4_sv_0900_as_cs"),
    ],
)
def test_good_collations(collation: str) -> None:
    check_databases(MARIADB, [DatabaseAccount("a", collate=collation)])


@pytest.mark.parametrize(
    ("collation", "version", "known"),
    [
        ("utf8mb4_0900_ai_ci", "10.11.19", False),
        ("utf8mb4_0900_ai_ci", "11.4.4", False),
        ("utf8mb4_0900_ai_ci", "11.4.5", True),
        ("utf8mb4_0900_ai_ci", "11.8", True),
        ("uca1400_ai_ci", "10.5", False),
        ("uca1400_ai_ci", "10.11", True),
        ("utf8mb4_klingon_ci", "11.8", False),
        ("utf8mb4_bin", "10.5", True),
    ],
)
def test_collations_of_a_version(collation: str, version: str, known: bool) -> None:
    refusal = pytest.raises(Invalid, match=rf"databases.collate: MariaDB {version} has no collat")
    with nullcontext() if known else refusal:
        check_databases(MARIADB, [DatabaseAccount("a", collate=collation)], version)


@pytest.mark.parametrize(
    "locale",
    ["C", "POSIX", "C.UTF-8", "C.utf8", "de_DE.UTF-8", "sr_RS@latin", "en_US", "utf8_general_ci"],
)
def test_good_locales(locale: str) -> None:
    check_databases(POSTGRESQL, [DatabaseAccount("a", collate=locale)])


@pytest.mark.parametrize("locale", ["latin1_bin", "klingon", "german", "uca1400_ai_ci", "c"])
def test_locales_of_another_engine(locale: str) -> None:
    with pytest.raises(Invalid, match=r"databases\.collate: PostgreSQL has no collation"):
        check_databases(POSTGRESQL, [DatabaseAccount("a", collate=locale)])


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
    anything = replace(POSTGRESQL, character_sets=None, collations=None)
    check_databases(anything, [DatabaseAccount("a", character_set="klingon", collate="klingon")])


INSTALLED = ("C", "C.utf8", "de_DE", "de_DE.iso885915@euro", "en_US.utf8")


@pytest.mark.parametrize(
    "name",
    [
        *("C", "POSIX", "C.UTF-8", "utf8_general_ci", "utf8mb4_0900_ai_ci"),
        *("en_US.UTF-8", "en_US.utf8", "en_US.Utf-8", "de_DE", "de_DE.ISO-8859-15@euro"),
        "de_DE.8859-15@euro",
    ],
)
def test_a_locale_that_is_installed_or_built_in(name: str) -> None:
    check_locales(POSTGRESQL, [DatabaseAccount("a"), DatabaseAccount("b", collate=name)], INSTALLED)


@pytest.mark.parametrize(
    "name", ["fr_FR.UTF-8", "en_US", "de_DE.UTF-8", "de_DE.iso885915", "EN_US.UTF-8"]
)
def test_a_locale_that_is_not_installed_is_refused_with_those_that_are(name: str) -> None:
    wanted = [DatabaseAccount("a"), DatabaseAccount("b", collate=name)]
    with pytest.raises(Invalid) as refused:
        check_locales(POSTGRESQL, wanted, INSTALLED)
    assert refused.value.field == "databases.collate"
    assert f"{name!r} is not installed; there are: C, C.utf8, de_DE" in str(refused.value)
    with pytest.raises(Invalid, match="there are: none"):
        check_locales(POSTGRESQL, wanted, ())
    # Where no one knows, and where the engine brings its own.
    check_locales(POSTGRESQL, wanted, None)
    check_locales(MARIADB, wanted, ())
