"""The agent is killed before any statement, and does its task again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.engines import module_of, query
from tests.support.tenants import database, databases_of, listed, other_tables, user
from trove.guestagent import tasks  # noqa: F401 - registers the handlers
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import handler_of
from trove.protocol import Accounts
from trove.protocol.tasks import AgentTask, CreateDatabases, DeleteDatabase, DeleteUser
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


class Killed(BaseException):
    """The agent's process dies here, and takes nothing back."""


@contextmanager
def killed_after(engine: Engine, statements: int) -> Iterator[None]:
    left = statements

    def while_alive(run: Callable[..., Any]) -> Callable[..., Any]:
        def run_while_alive(*words: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return run(*words)

        return run_while_alive

    with pytest.MonkeyPatch.context() as patch:
        for module in modules_of(engine.manager):
            if hasattr(module, "execute"):
                patch.setattr(module, "execute", while_alive(module.execute))
        yield


def modules_of(manager: str) -> list[ModuleType]:
    folder = Path(str(module_of(manager, "driver").__file__)).parent
    return [module_of(manager, info.name) for info in iter_modules([str(folder)])]


def guest_with(engine: Engine) -> Guest:
    """All that a task on accounts uses."""
    return cast("Guest", SimpleNamespace(parts=engine.parts, accounts_now=Accounts))


def killed_and_repeated(
    engine: Engine,
    task_of: Callable[[str], AgentTask[Any]],
    make_ready: Callable[[str], None] = lambda name: None,
) -> Iterator[str]:
    """A name for each statement of a task before which it was killed, and then done again."""
    for statements in range(50):
        task = task_of("k")
        name = f"{task.kind}_{statements}"
        task, do, guest = task_of(name), handler_of(task.kind).do, guest_with(engine)
        make_ready(name)
        try:
            with killed_after(engine, statements):
                do(guest, task, Attempt())
        except Killed:
            do(guest, task, Attempt(is_repeated=True))
            yield name
        else:
            assert statements > 0
            return


def test_a_database_is_never_left_open(shared: Engine) -> None:
    shared.parts.users.create([user("outsider")])
    for name in killed_and_repeated(shared, lambda name: CreateDatabases([database(name)])):
        assert name in databases_of(shared)
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user="outsider", password="secret", database=name)
        assert unused_groups(shared) == []


def unused_groups(engine: Engine) -> list[str]:
    """What a crash may leave of an engine whose databases belong to groups."""
    catalog, session = module_of(engine.manager, "catalog"), module_of(engine.manager, "session")
    if not hasattr(catalog, "unused_groups"):
        return []
    with session.session(engine.spec) as link:
        found: list[str] = catalog.unused_groups(link)
    return found


def test_a_database_goes_with_its_grants(shared: Engine) -> None:
    def make_ready(name: str) -> None:
        shared.parts.databases.create([database(name)])
        shared.parts.users.create([user(f"of_{name}", name)])

    for name in killed_and_repeated(shared, DeleteDatabase, make_ready):
        assert name not in databases_of(shared)
        shared.parts.databases.create([database(name)])
        assert listed(shared)[f"of_{name}"] == []
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user=f"of_{name}", password="secret", database=name)


def test_a_deleted_user_may_be_created_again(shared: Engine) -> None:
    shared.parts.databases.create([database("left")])

    def make_ready(name: str) -> None:
        shared.parts.users.create([user(name, "left")])
        text = f"CREATE TABLE of_{name} (x int)"
        query(shared, text, user=name, password="secret", database="left")

    for name in killed_and_repeated(shared, DeleteUser, make_ready):
        assert name not in listed(shared)
        shared.parts.users.create([user(name)])
        assert listed(shared)[name] == []


def test_a_user_whose_removal_was_withdrawn_is_still_seen(shared: Engine) -> None:
    """Only the tenant repeats it then, and can remove no more than what is listed."""
    shared.parts.databases.create([database("seen")])
    shared.parts.users.create([user("seen", "seen")])
    other_tables(shared, ["seen"], "seen")
    with pytest.raises(Killed), killed_after(shared, 1):
        shared.parts.users.delete(user("seen"))
    assert "seen" in listed(shared)
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="seen", password="secret", database="seen")
    shared.parts.users.delete(user("seen"))
    assert "seen" not in listed(shared)
