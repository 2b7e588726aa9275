"""What an engine allows databases and users to be called, checked before anything is written."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import msgspec

from trove.datastores import manifest_of
from trove.datastores.base import Manifest, NameRules
from trove.errors import Invalid, Reserved
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.settings import Settings

HOST_PATTERN = re.compile(r"[0-9a-fA-F.:%_]{1,60}")
ANY_HOST = "%"
STEPS = frozenset({".", ".."})


def rules_of(settings: Settings, manager: str) -> Manifest:
    """The engine's manifest, with what the operator keeps from tenants among the reserved names:
    `ignore_dbs` and `ignore_users`, for every engine and in the engine's own section."""
    manifest, own = manifest_of(manager), settings.datastores.get(manager, {})
    databases = (*settings.api.ignore_dbs, *own.get("ignore_dbs", "").split(","))
    users = (*settings.api.ignore_users, *own.get("ignore_users", "").split(","))
    return replace(
        manifest,
        database_names=_reserving(manifest.database_names, databases),
        user_names=_reserving(manifest.user_names, users),
    )


def visible(manifest: Manifest, reported: Accounts) -> Accounts:
    """What tenants may see of what an agent reported."""
    databases, users = manifest.database_names.reserved, manifest.user_names.reserved
    return Accounts(
        databases=[each for each in reported.databases if each.name.lower() not in databases],
        users=[
            msgspec.structs.replace(
                each, databases=[name for name in each.databases if name.lower() not in databases]
            )
            for each in reported.users
            if each.name.lower() not in users
        ],
        root_enabled=reported.root_enabled,
    )


def check_locales(
    manifest: Manifest, databases: Iterable[DatabaseAccount], installed: Collection[str] | None
) -> None:
    """Whether servers have the locales that these need, if it is known which ones they have.

    Raises Invalid naming `databases.collate`.
    """
    if installed is None or manifest.own_collations is None:
        return
    known = set(map(normal_locale, installed))
    for name in (database.collate or "" for database in databases):
        is_own = not name or re.fullmatch(manifest.own_collations, name)
        if not is_own and normal_locale(name) not in known:
            there = ", ".join(sorted(installed)) or "none"
            raise Invalid(
                f"the locale {name!r} is not installed; there are: {there}",
                field="databases.collate",
            )


def normal_locale(name: str) -> str:
    """As the C library compares names: UTF-8 and utf8 are the same character set."""
    plain, at, modifier = name.partition("@")
    territory, dot, characters = plain.partition(".")
    characters = re.sub(r"[^a-z0-9]", "", characters.lower())
    # A number alone is one of ISO's.
    return f"{territory}{dot}{'iso' * characters.isdigit()}{characters}{at}{modifier}"


def check_databases(
    manifest: Manifest, databases: Sequence[DatabaseAccount], version: str | None = None
) -> None:
    """Raises Invalid or Reserved, naming `databases`; without a version, for the newest."""
    for database in databases:
        # Clients in use put it into a URL as it is: to delete this one would delete another.
        check_new_name(manifest.database_names, database.name, "databases.name", unfit="?#%")
        _check_character_set(manifest, database.character_set)
        _check_collation(manifest, database.collate, version)
    _check_unique((database.name for database in databases), "databases.name")


def check_users(manifest: Manifest, users: Sequence[Account], *, valid_ip: bool = True) -> None:
    """Raises Invalid or Reserved, naming `users`; every user needs a password here."""
    for user in users:
        check_new_name(manifest.user_names, user.name, "users.name")
        check_password(manifest, user.password)
        check_host(manifest, user.host, valid_ip=valid_ip)
    _check_unique((f"{u.name}@{u.host or ANY_HOST}" for u in users), "users.name")


def check_new_name(rules: NameRules, name: str, field: str, *, unfit: str = "") -> None:
    """Of what is to be made: besides, no URL may mean another thing by it. Raises as `check_name`.

    `unfit` are the characters that this kind of name cannot contain there.
    """
    check_name(rules, name, field)
    if name in STEPS or not set(unfit).isdisjoint(name):
        raise Invalid(f"{name!r} means something else in URLs", field=field)


def check_name(rules: NameRules, name: str, field: str) -> None:
    """Raises Invalid or Reserved."""
    if not name or name != name.strip():
        raise Invalid("a name is not empty, and has no spaces around it", field=field)
    if len(name.encode()) > rules.longest:
        raise Invalid(f"{name[:16]!r}... is longer than {rules.longest} bytes", field=field)
    wrong = sorted({c for c in name if c in rules.forbidden or not c.isprintable()})
    wrong += [c for c in name if c > rules.highest]
    if wrong:
        raise Invalid(f"{name!r} has {wrong[0]!r}, which is not allowed", field=field)
    low = name.lower()
    if low in rules.reserved or low.startswith(rules.reserved_prefixes):
        raise Reserved(f"{name!r} is reserved; choose another name", field=field)


def check_password(manifest: Manifest, password: str | None, field: str = "users.password") -> None:
    """Raises Invalid; the message never shows the password."""
    if not password:
        raise Invalid("a password is needed", field=field)
    if len(password.encode()) > manifest.longest_password:
        raise Invalid(f"at most {manifest.longest_password} bytes", field=field)
    if "\0" in password or "\n" in password:
        raise Invalid("a password has no line breaks and no NUL", field=field)


def check_host(
    manifest: Manifest, host: str | None, *, valid_ip: bool = True, field: str = "users.host"
) -> None:
    """Raises Invalid; a host is an address, or a pattern of one with % and _."""
    if host is None or host == ANY_HOST:
        return
    if not manifest.user_hosts:
        raise Invalid(f"{manifest.title} has no hosts for users; leave it out", field=field)
    if "/" in host:
        _check_range(host, field)
        return
    if not valid_ip:
        if len(host) > manifest.user_names.longest or not host.isprintable() or " " in host:
            raise Invalid(f"{host!r} is not a host name", field=field)
        return
    if "%" not in host and "_" not in host and not _is_address(host):
        raise Invalid(f"{host!r} is neither an address nor a pattern with %", field=field)
    if not HOST_PATTERN.fullmatch(host):
        raise Invalid(f"{host!r} is not a pattern of an address", field=field)
    _check_octets(host, field)


def _reserving(rules: NameRules, names: Iterable[str]) -> NameRules:
    words = {name.strip().lower() for name in names} - {""}
    return replace(rules, reserved=rules.reserved | words)


def _check_range(host: str, field: str) -> None:
    """The engine compares `client & mask` with the address as it is written."""
    address, _, mask = host.partition("/")
    hint = "a range is written as its first address and its mask, as in 10.0.0.0/255.255.255.0"
    try:
        network = ipaddress.IPv4Network(host, strict=False)
        # A mask of the other way round is understood, too, and a number of bits.
        is_mask = str(network.netmask) == mask
    except ValueError:
        raise Invalid(f"{host!r} would never match: {hint}", field=field) from None
    if not is_mask or str(network.network_address) != address:
        if is_mask or mask.isdigit():
            hint = f"write {network.network_address}/{network.netmask}"
        raise Invalid(f"{host!r} would never match: {hint}", field=field)


def _check_octets(host: str, field: str) -> None:
    """The parts of a pattern of IPv4 that are numbers, and how many parts there are."""
    if ":" in host:
        return
    parts = host.split(".")
    # Clients' addresses are written without zeros in front.
    wrong = [part for part in parts if part.isdigit() and str(min(int(part), 255)) != part]
    if wrong or len(parts) > 4 or ("%" not in host and len(parts) != 4):
        hint = "a pattern is of four numbers from 0 to 255, as in 10.0.% or 10.0.0._"
        raise Invalid(f"{host!r} would never match: {hint}", field=field)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_character_set(manifest: Manifest, name: str | None) -> None:
    known = manifest.character_sets
    if name and known is not None and name.lower() not in known:
        raise Invalid(
            f"{manifest.title} has no character set {name!r}", field="databases.character_set"
        )


def _check_collation(manifest: Manifest, name: str | None, version: str | None) -> None:
    if not name or manifest.collations is None:
        return
    number = tuple(int(part) for part in re.findall(r"\d+", version)) if version else None
    newer = [
        pattern for pattern, since in manifest.newer_collations if number is None or number >= since
    ]
    if not any(re.fullmatch(pattern, name) for pattern in (manifest.collations, *newer)):
        of_version = f" {version}" if version else ""
        raise Invalid(
            f"{manifest.title}{of_version} has no collation {name!r}", field="databases.collate"
        )


def _check_unique(names: Iterable[str], field: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Invalid(f"{name!r} is there twice", field=field)
        seen.add(name)
