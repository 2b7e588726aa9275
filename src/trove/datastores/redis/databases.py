"""Databases of tenants on a running Redis: key prefixes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trove.datastores.base import Databases
from trove.datastores.names import check_absent, check_present
from trove.datastores.redis import REGISTRY, access
from trove.datastores.redis.access import ENDING, databases_in, with_databases
from trove.datastores.redis.catalog import visible
from trove.datastores.redis.session import Session, query, session
from trove.errors import Invalid
from trove.protocol import DatabaseAccount
from trove.protocol.engine_spec import EngineSpec

BATCH = "1000"
"""Keys that one step of SCAN looks at."""


def create_databases(spec: EngineSpec) -> Databases:
    return RedisDatabases(spec)


class RedisDatabases:
    """See `trove.datastores.base.Databases`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, databases: Sequence[DatabaseAccount]) -> None:
        if any(each.character_set or each.collate for each in databases):
            raise Invalid("Redis has neither character sets nor collations; leave them out")
        names = [each.name for each in databases]
        with session(self.spec) as link:
            known = access.databases(access.users(link))
            check_absent("database", known, names)
            access.change(link, {REGISTRY: with_databases(["off"], [*known, *names])})

    def delete(self, name: str) -> None:
        """Its keys go too, of every numbered database."""
        with session(self.spec) as link:
            known = access.users(link)
            names = access.databases(known)
            check_present("database", names, [name])
            holders = {
                user: with_databases(rules, set(databases_in(rules)) - {name})
                for user, rules in visible(known).items()
                if name in databases_in(rules)
            }
            # Grants first, so that no key comes while others go; the name last, so that a
            # repetition finds it and goes on.
            access.change(link, holders, disconnect=holders)
            for keys in _keys(link, name):
                query(link, "UNLINK", *keys)
            access.change(link, {REGISTRY: with_databases(["off"], set(names) - {name})})


def _keys(link: Session, name: str) -> Iterator[list[str]]:
    """The keys of a database, in batches, each while its numbered database is selected."""
    for number in _numbers(link):
        query(link, "SELECT", number)
        cursor = ""
        while cursor != "0":
            pattern = name + ENDING
            cursor, keys = query(link, "SCAN", cursor or "0", "MATCH", pattern, "COUNT", BATCH)
            if keys:
                yield keys


def _numbers(link: Session) -> list[str]:
    """Of the numbered databases that have keys: `db0:keys=1,...` is a line for each."""
    lines = query(link, "INFO", "keyspace").splitlines()
    return [line.partition(":")[0].removeprefix("db") for line in lines if line.startswith("db")]
