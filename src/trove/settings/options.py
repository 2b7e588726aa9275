"""Under which section and name operators write each setting, and which names are only history.

Law: a name that operators already have in their files keeps its meaning and its default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from trove.settings.groups import Settings
from trove.settings.plugins import provider_groups


@dataclass(frozen=True)
class Option:
    """One setting as operators see it."""

    section: str
    name: str
    path: tuple[str, ...]
    """Where its value goes: the fields from `Settings` downward."""
    kind: Any
    """The field's type."""
    default: Any
    choices: tuple[str, ...] = ()
    """The words that are allowed, if not any."""
    limits: tuple[float, float] | None = None
    """From where to where a number may be, if its group does not say it."""


SECTION_OF_GROUP = {
    # Where older files have them; only groups that are new have a section of their own.
    "api": "DEFAULT",
    "limits": "DEFAULT",
    "timing": "DEFAULT",
    "conductor": "conductor",
}

NAMES: Mapping[tuple[str, ...], tuple[str, str]] = {
    # Short names in the code, the long ones of older files for operators.
    ("api", "workers"): ("DEFAULT", "trove_api_workers"),
    ("api", "page_size"): ("DEFAULT", "instances_page_size"),
    ("api", "auth"): ("api", "auth"),
    ("api", "tls"): ("api", "tls"),
    ("api", "tls_certificate"): ("api", "tls_certificate"),
    ("api", "tls_private_key"): ("api", "tls_private_key"),
    ("api", "token_seconds"): ("api", "token_seconds"),
    ("api", "token_cache_seconds"): ("api", "token_cache_seconds"),
    ("api", "region"): ("DEFAULT", "os_region_name"),
    ("api", "max_connections"): ("api", "max_connections"),
    ("api", "max_connections_per_peer"): ("api", "max_connections_per_peer"),
    ("timing", "enrolment_seconds"): ("conductor", "enrolment_seconds"),
    ("database_url",): ("database", "connection"),
    ("taskmanager_threads",): ("taskmanager", "threads"),
    ("metrics_host",): ("taskmanager", "metrics_host"),
    ("metrics_port",): ("taskmanager", "metrics_port"),
    ("secret_key_file",): ("secrets", "key_file"),
    ("authority_directory",): ("secrets", "authority_directory"),
}
"""Those that do not simply stand under the name of their field."""

CHOICES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("api", "auth"): ("builtin", "keystone"),
    ("api", "tls"): ("auto", "on", "off"),
    ("log_format",): ("auto", "text", "json"),
}

MOST = 10**9
"""More than anybody wants of anything, and what every database still holds in an INTEGER."""

RANGES: Mapping[tuple[str, ...], tuple[float, float]] = {
    ("api", "bind_port"): (1, 65535),
    ("api", "workers"): (1, 1024),
    ("api", "page_size"): (1, 10000),
    ("api", "databases_page_size"): (1, 10000),
    ("api", "users_page_size"): (1, 10000),
    ("api", "token_seconds"): (1, MOST),
    # A token that was revoked works for as long: more than a minute would surprise an operator.
    ("api", "token_cache_seconds"): (0, 60),
    ("conductor", "bind_port"): (1, 65535),
    ("conductor", "max_connections"): (1, MOST),
    ("conductor", "max_connections_per_peer"): (1, MOST),
    ("metrics_port",): (1, 65535),
    ("taskmanager_threads",): (1, 1024),
}
"""From, to."""

RANGES_OF_GROUP: Mapping[str, tuple[float, float]] = {
    "api": (1, MOST),
    "limits": (-1, MOST),
    # Below, whatever comes round with this period would keep a processor busy.
    "timing": (0.1, MOST),
    "providers": (0, MOST),
}
"""The same, of every number of a group that has no range of its own."""

ALIASES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("DEFAULT", "sql_connection"): ("database", "connection"),
    # What tenants were called before.
    ("DEFAULT", "max_instances_per_user"): ("DEFAULT", "max_instances_per_tenant"),
    ("DEFAULT", "max_backups_per_user"): ("DEFAULT", "max_backups_per_tenant"),
    ("DEFAULT", "max_volumes_per_user"): ("DEFAULT", "max_volumes_per_tenant"),
    ("DEFAULT", "region"): ("DEFAULT", "os_region_name"),
    ("database", "sql_connection"): ("database", "connection"),
}
"""Older names that still set the newer one."""

# Sections that older files have, of engines that this release does not all serve: their lines are
# known, so that a misspelt one is found.
_ENGINES = """
cassandra couchbase couchdb db2 mariadb memcached mongodb mysql percona postgresql pxc redis
valkey vertica"""
ENGINE_SECTIONS = tuple(_ENGINES.split())
ENGINE_OPTIONS = ("ignore_dbs", "ignore_users")
"""What the section of a well-known engine takes."""


def engine_options(settings: Settings, manager: str) -> dict[str, str]:
    """What the section of an installed datastore sets in its engines; others have no such names."""
    own = settings.datastores.get(manager, {})
    return {name: value for name, value in own.items() if name not in ENGINE_OPTIONS}


# Its options are keystonemiddleware's own, and differ from release to release.
PASSED_ON = ("keystone_authtoken",)
"""Sections whose options are handed to a library as they are."""


def range_of(option: Option) -> tuple[float, float] | None:
    """From where to where the option's number may be; None when it is no number."""
    if option.kind not in {int, float, int | None}:
        return None
    return option.limits or RANGES.get(option.path) or RANGES_OF_GROUP[option.path[0]]


@cache
def options() -> dict[tuple[str, str], Option]:
    """Every option by its section and name."""
    found = [*_walk(Settings, ()), *_options_of_providers()]
    return {(option.section, option.name): option for option in found}


def _options_of_providers() -> Iterator[Option]:
    for section, group in provider_groups().items():
        hints = get_type_hints(group)
        for field in dataclasses.fields(group):
            path = ("providers", section, field.name)
            yield Option(
                section, field.name, path, hints[field.name], field.default, **field.metadata
            )


def _walk(group: type, above: tuple[str, ...]) -> Iterator[Option]:
    hints = get_type_hints(group)
    for field in dataclasses.fields(group):
        kind, path = hints[field.name], (*above, field.name)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from _walk(kind, path)
        elif field.default is not dataclasses.MISSING:
            section = SECTION_OF_GROUP[above[0]] if above else "DEFAULT"
            section, name = NAMES.get(path, (section, field.name))
            yield Option(section, name, path, kind, field.default, CHOICES.get(path, ()))
