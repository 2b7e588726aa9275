"""The agent is killed before any statement, and does its task again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.engines import Engine, Refused
from tests.support.tenants import database, databases_of, listed, other_tables, user
from trove.datastores import part_of
from trove.guestagent.accounts import ACCOUNT_TASKS
from trove.guestagent.attempt import Attempt
from trove.protocol import TaskKind, TaskOrder

pytestmark = pytest.mark.engine


class Killed(BaseException):
    """The agent's process dies here, and takes nothing back."""


@contextmanager
def killed_after(engine: Engine, statements: int) -> Iterator[None]:
    module = part_of(engine.manager, "accounts")
    tell, left = module.tell, statements

    def tell_while_alive(*words: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        tell(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "tell", tell_while_alive)
        yield


def killed_and_repeated(
    engine: Engine,
    kind: TaskKind,
    args_of: Callable[[str], dict[str, Any]],
    make_ready: Callable[[str], None] = lambda name: None,
) -> Iterator[str]:
    """A name for each statement of a task before which it was killed, and then done again."""
    for statements in range(50):
        name = f"{kind}_{statements}"
        make_ready(name)
        order = TaskOrder("t", kind, args_of(name))
        try:
            with killed_after(engine, statements):
                ACCOUNT_TASKS[kind](engine.accounts, Attempt(order))
        except Killed:
            ACCOUNT_TASKS[kind](engine.accounts, Attempt(order, is_repeated=True))
            yield name
        else:
            assert statements > 0
            return


def test_a_database_is_never_left_open(shared: Engine) -> None:
    shared.accounts.create_users([user("outsider")])
    for name in killed_and_repeated(
        shared, TaskKind.CREATE_DATABASES, lambda name: {"databases": [{"name": name}]}
    ):
        assert name in databases_of(shared)
        with pytest.raises(Refused):
            shared.query("SELECT 1", user="outsider", password="secret", database=name)
        assert unused_groups(shared) == []


def unused_groups(engine: Engine) -> list[str]:
    if engine.manager != "postgresql":
        return []
    with part_of("postgresql", "session").session(engine.place) as link:
        found: list[str] = part_of("postgresql", "catalog").unused_groups(link)
    return found


def test_a_database_goes_with_its_grants(shared: Engine) -> None:
    def make_ready(name: str) -> None:
        shared.accounts.create_databases([database(name)])
        shared.accounts.create_users([user(f"of_{name}", name)])

    for name in killed_and_repeated(
        shared, TaskKind.DELETE_DATABASE, lambda name: {"name": name}, make_ready
    ):
        assert name not in databases_of(shared)
        shared.accounts.create_databases([database(name)])
        assert listed(shared)[f"of_{name}"] == []
        with pytest.raises(Refused):
            shared.query("SELECT 1", user=f"of_{name}", password="secret", database=name)


def test_a_user_goes_for_good_and_may_come_again(shared: Engine) -> None:
    shared.accounts.create_databases([database("left")])

    def make_ready(name: str) -> None:
        shared.accounts.create_users([user(name, "left")])
        text = f"CREATE TABLE of_{name} (x int)"
        shared.query(text, user=name, password="secret", database="left")

    for name in killed_and_repeated(
        shared, TaskKind.DELETE_USER, lambda name: {"name": name}, make_ready
    ):
        assert name not in listed(shared)
        shared.accounts.create_users([user(name)])
        assert listed(shared)[name] == []


def test_a_user_whose_removal_was_withdrawn_is_still_seen(shared: Engine) -> None:
    """Nobody repeats it then, save the tenant, who can but remove what is listed."""
    shared.accounts.create_databases([database("seen")])
    shared.accounts.create_users([user("seen", "seen")])
    other_tables(shared, ["seen"], "seen")
    with pytest.raises(Killed), killed_after(shared, 1):
        shared.accounts.delete_user(user("seen"))
    assert "seen" in listed(shared)
    with pytest.raises(Refused):
        shared.query("SELECT 1", user="seen", password="secret", database="seen")
    shared.accounts.delete_user(user("seen"))
    assert "seen" not in listed(shared)
