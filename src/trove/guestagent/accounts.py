"""Account tasks, each of which may have been attempted before.

Law: what a task's first attempt did is no error for its second. Whether a database or user was
there before the first attempt is in the journal; all else follows from what is there now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from trove.datastores.base import RepairsDatabases
from trove.datastores.parts import Parts
from trove.errors import AlreadyExists, NotFound
from trove.guestagent.attempt import Attempt
from trove.protocol import Account, DatabaseAccount, TaskKind

ANY_HOST = "%"


def create_databases(parts: Parts, attempt: Attempt) -> None:
    wanted = attempt.part("databases", list[DatabaseAccount])
    if not attempt.is_repeated:
        parts.databases.create(wanted)
        return
    _refuse(attempt.existed)
    ensure_databases(parts, wanted)


def create_users(parts: Parts, attempt: Attempt) -> None:
    wanted = attempt.part("users", list[Account])
    if not attempt.is_repeated:
        parts.users.create(wanted)
        return
    _refuse(attempt.existed)
    ensure_users(parts, wanted)


def delete_database(parts: Parts, attempt: Attempt) -> None:
    with _gone_before(attempt):
        parts.databases.delete(attempt.part("name", str))


def delete_user(parts: Parts, attempt: Attempt) -> None:
    with _gone_before(attempt):
        parts.users.delete(_user_in(attempt))


def update_user(parts: Parts, attempt: Attempt) -> None:
    """A rename that has been done leaves the rest to be done under the new name."""
    user = _user_in(attempt)
    renamed = Account(
        name=attempt.args.get("new_name") or user.name,
        host=attempt.args.get("new_host") or user.host,
    )
    known = {key_of(account) for account in parts.accounts().users}
    if attempt.is_repeated and key_of(user) not in known and key_of(renamed) in known:
        user = renamed
    parts.users.update(
        user,
        new_name=_unless_same(renamed.name, user.name),
        new_password=attempt.args.get("new_password"),
        new_host=_unless_same(renamed.host, user.host),
    )


def change_passwords(parts: Parts, attempt: Attempt) -> None:
    parts.users.change_passwords(attempt.part("users", list[Account]))


def grant(parts: Parts, attempt: Attempt) -> None:
    parts.users.grant(_user_in(attempt), attempt.part("databases", list[str]))


def revoke(parts: Parts, attempt: Attempt) -> None:
    with _gone_before(attempt):
        parts.users.revoke(_user_in(attempt), attempt.part("database", str))


def enable_root(parts: Parts, attempt: Attempt) -> dict[str, Any]:
    return {"name": parts.root.enable(attempt.part("password", str))}


def disable_root(parts: Parts, attempt: Attempt) -> None:
    parts.root.disable()


ACCOUNT_TASKS: dict[str, Callable[[Parts, Attempt], dict[str, Any] | None]] = {
    TaskKind.CREATE_DATABASES: create_databases,
    TaskKind.DELETE_DATABASE: delete_database,
    TaskKind.CREATE_USERS: create_users,
    TaskKind.UPDATE_USER: update_user,
    TaskKind.CHANGE_PASSWORDS: change_passwords,
    TaskKind.DELETE_USER: delete_user,
    TaskKind.GRANT: grant,
    TaskKind.REVOKE: revoke,
    TaskKind.ENABLE_ROOT: enable_root,
    TaskKind.DISABLE_ROOT: disable_root,
}


def existing(parts: Parts, attempt: Attempt) -> list[str]:
    """Which of the names that a task is to create are there already."""
    kind = attempt.order.kind
    if kind == TaskKind.CREATE_DATABASES:
        databases = {d.name for d in parts.accounts().databases}
        wanted = attempt.part("databases", list[DatabaseAccount])
        return [d.name for d in wanted if d.name in databases]
    if kind == TaskKind.CREATE_USERS:
        users = {key_of(user) for user in parts.accounts().users}
        return [u.name for u in attempt.part("users", list[Account]) if key_of(u) in users]
    return []


def ensure_databases(parts: Parts, wanted: Sequence[DatabaseAccount]) -> None:
    """Make those that are not there; the others may be half made."""
    known = {database.name for database in parts.accounts().databases}
    missing = [database for database in wanted if database.name not in known]
    present = [database.name for database in wanted if database.name in known]
    if missing:
        parts.databases.create(missing)
    if present and isinstance(parts.databases, RepairsDatabases):
        parts.databases.repair(present)


def ensure_users(parts: Parts, wanted: Sequence[Account]) -> None:
    """Make those that are not there; the others get their password and their databases."""
    known = {key_of(user) for user in parts.accounts().users}
    missing = [user for user in wanted if key_of(user) not in known]
    present = [user for user in wanted if key_of(user) in known]
    if missing:
        parts.users.create(missing)
    if present:
        parts.users.change_passwords(present)
    for user in present:
        if user.databases:
            parts.users.grant(user, user.databases)


def key_of(user: Account) -> tuple[str, str]:
    """What makes two users the same."""
    return (user.name, user.host or ANY_HOST)


def _refuse(existed: Iterable[str]) -> None:
    """What was there before the first attempt was not made by it."""
    names = ", ".join(existed)
    if names:
        raise AlreadyExists(f"exists already: {names}")


@contextmanager
def _gone_before(attempt: Attempt) -> Iterator[None]:
    """What an earlier attempt may have removed need not be there."""
    try:
        yield
    except NotFound:
        if not attempt.is_repeated:
            raise


def _user_in(attempt: Attempt) -> Account:
    return msgspec.convert(
        {"name": attempt.args.get("name"), "host": attempt.args.get("host")}, Account
    )


def _unless_same(new: str | None, old: str | None) -> str | None:
    return new if new != old else None
