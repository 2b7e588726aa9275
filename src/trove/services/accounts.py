"""Databases, users and grants of an instance: checked here, done by its agent.

Law: a change is dispatched as a task and recorded as an event in one transaction. No password is
ever written but sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from trove.datastores.parts import Part
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.protocol import Account, DatabaseAccount
from trove.protocol.tasks import (
    ChangePasswords,
    CreateDatabases,
    CreateUsers,
    DeleteDatabase,
    DeleteUser,
    Grant,
    Revoke,
    UpdateUser,
)
from trove.services.account_rules import (
    ANY_HOST,
    check_databases,
    check_host,
    check_locales,
    check_name,
    check_new_name,
    check_password,
    check_users,
)
from trove.services.installation import Caller, Installation
from trove.services.paging import Page, page_of
from trove.services.running_engine import (
    RunningEngine,
    dispatch_task,
    label_of,
    parse_user,
    result_from,
    running_engine,
)


@dataclass(frozen=True)
class UserChange:
    """What of a user is to be different; None stays."""

    name: str | None = None
    password: str | None = None
    host: str | None = None


def list_databases(
    inst: Installation, caller: Caller, instance_id: str, *, limit: int, marker: str | None
) -> Page[DatabaseAccount]:
    """By name; `marker` is the name of the last one of the page before.

    Links have it quoted twice: a client that follows one as it stands sends it quoted.
    """
    with inst.database.session() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.DATABASES)
    found = sorted(engine.accounts.databases, key=lambda database: database.name)
    after = marker if marker is None or engine.has_database(marker) else unquote(marker)
    left = [database for database in found if after is None or database.name > after]
    return page_of(left[: limit + 1], limit, lambda database: database.name)


def create_databases(
    inst: Installation, caller: Caller, instance_id: str, databases: Sequence[DatabaseAccount]
) -> None:
    """Make databases; raises Invalid, Reserved, AlreadyExists, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.DATABASES)
        check_databases(engine.manifest, databases)
        check_locales(engine.manifest, databases, inst.locales())
        known = {database.name for database in engine.accounts.databases}
        for database in databases:
            if database.name in known:
                raise AlreadyExists(f"databases.name: {database.name!r} exists already")
        task = CreateDatabases(list(databases))
        names = [database.name for database in databases]
        dispatched = dispatch_task(inst, caller, engine, task, databases=names)
    result_from(inst, dispatched, "databases")


def delete_database(inst: Installation, caller: Caller, instance_id: str, name: str) -> None:
    """Drop a database with all that is in it; raises NotFound, Reserved, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.DATABASES)
        check_name(engine.manifest.database_names, name, "database")
        engine.require_database(name)
        dispatched = dispatch_task(inst, caller, engine, DeleteDatabase(name), databases=[name])
    result_from(inst, dispatched)


def list_users(
    inst: Installation, caller: Caller, instance_id: str, *, limit: int, marker: str | None
) -> Page[Account]:
    """By `name@host`, which is the marker too; without its @ it is still quoted, as above."""
    with inst.database.session() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
    meant = marker if marker is None or "@" in marker else unquote(marker)
    after = label_of(parse_user(engine.manifest, meant)) if meant is not None else ""
    left = sorted((u for u in engine.accounts.users if label_of(u) > after), key=label_of)
    return page_of(left[: limit + 1], limit, label_of)


def show_user(inst: Installation, caller: Caller, instance_id: str, user: str) -> Account:
    """One user with the databases that were granted; raises NotFound, Reserved, NotReady."""
    with inst.database.session() as session:
        return running_engine(inst, session, caller, instance_id, Part.USERS).user(user)


def create_users(
    inst: Installation, caller: Caller, instance_id: str, users: Sequence[Account]
) -> None:
    """Make users with their grants; raises Invalid, Reserved, AlreadyExists, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        check_users(engine.manifest, users, valid_ip=inst.settings.api.hostname_require_valid_ip)
        for user in users:
            if engine.find_user(user) is not None:
                raise AlreadyExists(f"users.name: {label_of(user)!r} exists already")
            _must_have(engine, user.databases, "users.databases")
        task = CreateUsers(_on_the_wire(engine, users))
        labels = [label_of(user) for user in users]
        dispatched = dispatch_task(inst, caller, engine, task, users=labels)
    result_from(inst, dispatched, "users")


def change_passwords(
    inst: Installation, caller: Caller, instance_id: str, users: Sequence[Account]
) -> None:
    """Give users other passwords; raises NotFound, Invalid, Reserved, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        check_users(engine.manifest, users, valid_ip=inst.settings.api.hostname_require_valid_ip)
        for user in users:
            engine.user(label_of(user))
        task = ChangePasswords(_on_the_wire(engine, users))
        labels = [label_of(user) for user in users]
        dispatched = dispatch_task(inst, caller, engine, task, users=labels)
    result_from(inst, dispatched, "users")


def update_user(
    inst: Installation, caller: Caller, instance_id: str, user: str, change: UserChange
) -> None:
    """Change name, password or host; raises NotFound, Invalid, AlreadyExists, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        was = engine.user(user)
        _check_change(inst, engine, was, change)
        new = {
            f"new_{field}": value
            for field, value in vars(change).items()
            if value is not None and not (field == "host" and not engine.manifest.user_hosts)
        }
        task = UpdateUser(was.name, was.host, **new)
        labels, changed = [label_of(was)], sorted(new)
        dispatched = dispatch_task(inst, caller, engine, task, users=labels, changed=changed)
    result_from(inst, dispatched, "user")


def delete_user(inst: Installation, caller: Caller, instance_id: str, user: str) -> None:
    """Drop a user; raises NotFound, Reserved, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        was = engine.user(user)
        task = DeleteUser(was.name, was.host)
        dispatched = dispatch_task(inst, caller, engine, task, users=[label_of(was)])
    result_from(inst, dispatched)


def grant(
    inst: Installation, caller: Caller, instance_id: str, user: str, databases: Sequence[str]
) -> None:
    """Give a user access to databases; raises NotFound, Invalid, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        was = engine.user(user)
        for name in databases:
            check_name(engine.manifest.database_names, name, "databases.name")
            engine.require_database(name)
        task = Grant(was.name, list(databases), was.host)
        labels, names = [label_of(was)], list(databases)
        dispatched = dispatch_task(inst, caller, engine, task, users=labels, databases=names)
    result_from(inst, dispatched)


def revoke(inst: Installation, caller: Caller, instance_id: str, user: str, database: str) -> None:
    """Take a grant back; raises NotFound when there is none, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.USERS)
        was = engine.user(user)
        if database not in was.databases:
            raise NotFound(f"User {user!r} has no access to a database {database!r}.")
        task = Revoke(was.name, database, was.host)
        labels = [label_of(was)]
        dispatched = dispatch_task(inst, caller, engine, task, users=labels, databases=[database])
    result_from(inst, dispatched)


def _on_the_wire(engine: RunningEngine, users: Sequence[Account]) -> list[Account]:
    """Users as their agent expects them: without a host where the engine knows none."""
    has_hosts = engine.manifest.user_hosts
    return [
        msgspec.structs.replace(user, host=(user.host or ANY_HOST) if has_hosts else None)
        for user in users
    ]


def _must_have(engine: RunningEngine, databases: Sequence[str], field: str) -> None:
    known = {database.name for database in engine.accounts.databases}
    missing = sorted(set(databases) - known)
    if missing:
        raise Invalid(f"there is no database {missing[0]!r}", field=field)


def _check_change(
    inst: Installation, engine: RunningEngine, was: Account, change: UserChange
) -> None:
    if change.name is not None:
        check_new_name(engine.manifest.user_names, change.name, "user.name")
    if change.password is not None:
        check_password(engine.manifest, change.password, "user.password")
    valid_ip = inst.settings.api.hostname_require_valid_ip
    check_host(engine.manifest, change.host, valid_ip=valid_ip, field="user.host")
    target = Account(name=change.name or was.name, host=change.host or was.host)
    if label_of(target) != label_of(was) and engine.find_user(target) is not None:
        raise AlreadyExists(f"user.name: {label_of(target)!r} exists already")
