"""Calls that are held open: thousands of them, and one query at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.support.waiting import HANG, until_in_loop
from trove.conductor.waiting import HeldCall, Waiting

NEVER = 2 * HANG
"""Seconds until a look that no test waits for."""


class Board:
    """What is to be done, and how often it was read."""

    def __init__(self, pause: float = 0.01) -> None:
        self.pause = pause
        self.tasks: list[tuple[str, str, bool]] = []
        self.looks = 0
        self.at_once = 0
        self.fails = 0
        self.idle: list[float] = []
        """How long nothing had happened, after each look that was carried out."""

    async def look(self) -> list[tuple[str, str, bool]]:
        self.looks += 1
        self.at_once += 1
        assert self.at_once == 1
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.fails:
            self.fails -= 1
            raise OperationalError("SELECT", {}, Exception("away"))
        return self.tasks

    def pause_after(self, idle: float) -> float:
        self.idle.append(idle)
        return self.pause

    async def await_looks(self, count: int) -> None:
        await until_in_loop(lambda: len(self.idle) >= count)


Scene = Callable[[Board, Waiting], Coroutine[Any, Any, None]]


def play(scene: Scene, pause: float = 0.01) -> None:
    board = Board(pause)
    asyncio.run(scene(board, Waiting(board.look, board.pause_after)))


def held(
    waiting: Waiting, instance_id: str, *busy: str, seconds: float = HANG
) -> asyncio.Task[bool]:
    """A call of this instance, which is held."""
    return asyncio.create_task(waiting.until_pending(instance_id, HeldCall(busy), seconds))


def test_thousands_are_held_by_one_query_at_a_time() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        calls = [held(waiting, f"i{n}") for n in range(5000)]
        await board.await_looks(3)
        assert board.looks - len(board.idle) in {0, 1}, "one look for all, then a pause"
        board.tasks = [("i4711", "t", False)]
        assert await calls[4711]
        assert sum(call.done() for call in calls) == 1
        board.tasks = [(f"i{n}", "t", False) for n in range(5000)]
        waiting.nudge()
        assert all(await asyncio.gather(*calls))

    play(scene)


def test_nothing_is_read_while_no_call_is_held() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        waiting.nudge()
        assert not await waiting.until_pending("i", HeldCall(()), 0.05)
        await until_in_loop(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        seen = board.looks
        waiting.nudge()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert board.looks == seen
        board.tasks = [("i", "t", False)]
        assert await waiting.until_pending("i", HeldCall(()), HANG)

    play(scene)


def test_a_nudge_is_faster_than_the_next_look() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        call = held(waiting, "i", "busy")
        await board.await_looks(1)
        board.tasks = [("i", "busy", False), ("i", "late", True)]
        await asyncio.to_thread(waiting.nudge)
        await board.await_looks(2)
        board.tasks = [("i", "busy", False), ("i", "new", False)]
        await asyncio.to_thread(waiting.nudge)
        assert await call
        assert board.looks == 3, "neither a busy task nor a late one wakes a call"

    play(scene, NEVER)


def test_a_nudge_between_the_callers_look_and_its_wait_is_not_lost() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        other = held(waiting, "other")
        await board.await_looks(1)
        seen = waiting.nudges
        board.tasks = [("i", "t", False)]
        await asyncio.to_thread(waiting.nudge)
        await board.await_looks(2)
        assert waiting.nudges == seen + 1
        assert await waiting.until_pending("i", HeldCall(()), HANG, seen)
        waiting.release()
        assert not await other

    play(scene, NEVER)


def test_the_next_look_is_later_the_longer_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that goes on by one whenever it is read."""
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr("trove.conductor.waiting.time", clock)

    async def scene(board: Board, waiting: Waiting) -> None:
        call = held(waiting, "i")
        while len(board.idle) < 5:
            await asyncio.sleep(0)
        assert board.idle[:5] == [1, 2, 3, 4, 5]
        looks = len(board.idle)
        waiting.nudge()
        while 1 not in board.idle[looks:]:
            await asyncio.sleep(0)
        board.tasks = [("i", "t", False)]
        waiting.nudge()
        assert await call

    play(scene, 0)


def test_two_calls_of_one_instance_are_both_woken() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        calls = [held(waiting, "i") for _ in range(2)]
        await board.await_looks(1)
        board.tasks = [("i", "t", False)]
        assert await asyncio.gather(*calls) == [True, True]

    play(scene)


def test_a_database_that_is_away_is_read_again() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        board.fails, board.tasks = 1, [("i", "t", False)]
        call = held(waiting, "i")
        await until_in_loop(lambda: board.looks)
        waiting.nudge()
        assert await call
        assert board.looks == 2

    play(scene)


def test_a_release_answers_every_call_and_holds_no_other() -> None:
    async def scene(board: Board, waiting: Waiting) -> None:
        calls = [held(waiting, f"i{n}") for n in range(3)]
        await board.await_looks(1)
        await asyncio.to_thread(waiting.release)
        assert await asyncio.gather(*calls) == [False] * 3
        assert not await waiting.until_pending("i", HeldCall(()), HANG)

    play(scene)
