"""Users of tenants on a running Redis: entries of its access list, which it checks for each
command, so that a change takes effect at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trove.datastores.base import Users
from trove.datastores.names import check_absent, check_present
from trove.datastores.redis import access
from trove.datastores.redis.access import (
    Rules,
    databases_in,
    new_user,
    with_databases,
    with_password,
)
from trove.datastores.redis.catalog import visible
from trove.datastores.redis.session import Session, session
from trove.errors import Invalid
from trove.protocol import Account
from trove.protocol.engine_spec import EngineSpec


def create_users(spec: EngineSpec) -> Users:
    return RedisUsers(spec)


class RedisUsers:
    """See `trove.datastores.base.Users`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link:
            known = access.users(link)
            check_absent("user", known, [user.name for user in users])
            granted = (name for user in users for name in user.databases)
            check_present("database", access.databases(known), granted)
            access.change(link, {u.name: new_user(u.password or "", u.databases) for u in users})

    def change_passwords(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link:
            known = _present(link, [user.name for user in users])
            changes = {u.name: with_password(known[u.name], u.password or "") for u in users}
            access.change(link, changes)

    def update(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        if new_host:
            raise Invalid("Redis has no hosts for users; leave the host out")
        with session(self.spec) as link:
            rules = _present(link, [user.name])[user.name]
            if new_password:
                rules = with_password(rules, new_password)
            changes: dict[str, Rules | None] = {new_name or user.name: rules}
            if new_name and new_name != user.name:
                check_absent("user", access.users(link), [new_name])
                changes[user.name] = None
            access.change(link, changes)

    def delete(self, user: Account) -> None:
        with session(self.spec) as link:
            _present(link, [user.name])
            access.change(link, {user.name: None})

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        with session(self.spec) as link:
            rules = _present(link, [user.name])[user.name]
            check_present("database", access.databases(access.users(link)), databases)
            names = {*databases_in(rules), *databases}
            access.change(link, {user.name: with_databases(rules, names)})

    def revoke(self, user: Account, database: str) -> None:
        with session(self.spec) as link:
            rules = _present(link, [user.name])[user.name]
            names = databases_in(rules)
            check_present(f"grant of user {user.name!r} on", names, [database])
            changes = {user.name: with_databases(rules, set(names) - {database})}
            # A command that waits for a key was allowed when it came, and would still get it.
            access.change(link, changes, disconnect=[user.name])


def _present(link: Session, names: Iterable[str]) -> dict[str, Rules]:
    """The users that tenants may see; raises NotFound unless these are among them."""
    known = visible(access.users(link))
    check_present("user", known, names)
    return known
