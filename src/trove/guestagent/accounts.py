"""Account tasks, each of which may have been attempted before.

Law: what a task's first attempt did is no error for its second. Whether a database or user was
there before the first attempt is in the journal; all else follows from what is there now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from trove.datastores.base import RepairsDatabases
from trove.datastores.parts import Parts
from trove.errors import AlreadyExists, NotFound
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import handles
from trove.protocol import Account, DatabaseAccount
from trove.protocol.tasks import (
    AccountsNow,
    ChangePasswords,
    CreateDatabases,
    CreateUsers,
    DeleteDatabase,
    DeleteUser,
    DisableRoot,
    EnableRoot,
    Grant,
    Revoke,
    RootEnabled,
    UpdateUser,
)

ANY_HOST = "%"


def existing_databases(guest: Guest, task: CreateDatabases) -> list[str]:
    known = {database.name for database in guest.parts.accounts().databases}
    return [database.name for database in task.databases if database.name in known]


@handles(CreateDatabases, existing=existing_databases)
def create_databases(guest: Guest, task: CreateDatabases, attempt: Attempt) -> AccountsNow:
    if attempt.is_repeated:
        _refuse(attempt.existed)
        ensure_databases(guest.parts, task.databases)
    else:
        guest.parts.databases.create(task.databases)
    return AccountsNow(guest.accounts_now())


def existing_users(guest: Guest, task: CreateUsers) -> list[str]:
    known = {key_of(user) for user in guest.parts.accounts().users}
    return [user.name for user in task.users if key_of(user) in known]


@handles(CreateUsers, existing=existing_users)
def create_users(guest: Guest, task: CreateUsers, attempt: Attempt) -> AccountsNow:
    if attempt.is_repeated:
        _refuse(attempt.existed)
        ensure_users(guest.parts, task.users)
    else:
        guest.parts.users.create(task.users)
    return AccountsNow(guest.accounts_now())


@handles(DeleteDatabase)
def delete_database(guest: Guest, task: DeleteDatabase, attempt: Attempt) -> AccountsNow:
    with _already_absent(attempt):
        guest.parts.databases.delete(task.name)
    return AccountsNow(guest.accounts_now())


@handles(DeleteUser)
def delete_user(guest: Guest, task: DeleteUser, attempt: Attempt) -> AccountsNow:
    with _already_absent(attempt):
        guest.parts.users.delete(Account(task.name, task.host))
    return AccountsNow(guest.accounts_now())


@handles(UpdateUser)
def update_user(guest: Guest, task: UpdateUser, attempt: Attempt) -> AccountsNow:
    """A rename that has been done leaves the rest to be done under the new name."""
    user = Account(task.name, task.host)
    renamed = Account(task.new_name or user.name, task.new_host or user.host)
    known = {key_of(account) for account in guest.parts.accounts().users}
    if attempt.is_repeated and key_of(user) not in known and key_of(renamed) in known:
        user = renamed
    guest.parts.users.update(
        user,
        new_name=_unless_same(renamed.name, user.name),
        new_password=task.new_password,
        new_host=_unless_same(renamed.host, user.host),
    )
    return AccountsNow(guest.accounts_now())


@handles(ChangePasswords)
def change_passwords(guest: Guest, task: ChangePasswords, attempt: Attempt) -> AccountsNow:
    guest.parts.users.change_passwords(task.users)
    return AccountsNow(guest.accounts_now())


@handles(Grant)
def grant(guest: Guest, task: Grant, attempt: Attempt) -> AccountsNow:
    guest.parts.users.grant(Account(task.name, task.host), task.databases)
    return AccountsNow(guest.accounts_now())


@handles(Revoke)
def revoke(guest: Guest, task: Revoke, attempt: Attempt) -> AccountsNow:
    with _already_absent(attempt):
        guest.parts.users.revoke(Account(task.name, task.host), task.database)
    return AccountsNow(guest.accounts_now())


@handles(EnableRoot)
def enable_root(guest: Guest, task: EnableRoot, attempt: Attempt) -> RootEnabled:
    name = guest.parts.root.enable(task.password)
    return RootEnabled(guest.accounts_now(), name)


@handles(DisableRoot)
def disable_root(guest: Guest, task: DisableRoot, attempt: Attempt) -> AccountsNow:
    guest.parts.root.disable()
    return AccountsNow(guest.accounts_now())


def ensure_databases(parts: Parts, wanted: Sequence[DatabaseAccount]) -> None:
    """Create those that are not there; the others may be half made."""
    known = {database.name for database in parts.accounts().databases}
    missing = [database for database in wanted if database.name not in known]
    present = [database.name for database in wanted if database.name in known]
    if missing:
        parts.databases.create(missing)
    if present and isinstance(parts.databases, RepairsDatabases):
        parts.databases.repair(present)


def ensure_users(parts: Parts, wanted: Sequence[Account]) -> None:
    """Create those that are not there; the others get their password and their databases."""
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
def _already_absent(attempt: Attempt) -> Iterator[None]:
    """What an earlier attempt may have removed need not be there."""
    try:
        yield
    except NotFound:
        if not attempt.is_repeated:
            raise


def _unless_same(new: str | None, old: str | None) -> str | None:
    return new if new != old else None
