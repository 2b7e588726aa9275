"""Calls that are held open: thousands of them, and one query at a time."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy.exc import OperationalError

from trove.conductor.waiting import HeldCall, Waiting


class Board:
    """What is to be done, and how often it was read."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, str, bool]] = []
        self.looks = 0
        self.at_once = 0
        self.fails = 0

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


def test_thousands_are_held_by_one_query_at_a_time() -> None:
    async def scene() -> None:
        board = Board()
        waiting = Waiting(board.look, lambda _: 0.02)
        calls = [
            asyncio.create_task(waiting.until_pending(f"i{n}", HeldCall(()), 30))
            for n in range(5000)
        ]
        await asyncio.sleep(0.2)
        assert board.looks < 30
        board.tasks = [("i4711", "t", False)]
        assert await calls[4711]
        assert sum(call.done() for call in calls) == 1
        board.tasks = [(f"i{n}", "t", False) for n in range(5000)]
        waiting.nudge()
        assert all(await asyncio.gather(*calls))

    asyncio.run(scene())


def test_nothing_is_read_while_no_call_is_held() -> None:
    async def scene() -> None:
        board = Board()
        waiting = Waiting(board.look, lambda _: 0.01)
        waiting.nudge()
        assert not await waiting.until_pending("i", HeldCall(()), 0.05)
        await asyncio.sleep(0.05)
        seen = board.looks
        await asyncio.sleep(0.1)
        assert board.looks == seen
        board.tasks = [("i", "t", False)]
        assert await waiting.until_pending("i", HeldCall(()), 5)

    asyncio.run(scene())


def test_a_nudge_is_faster_than_the_next_look() -> None:
    async def scene() -> None:
        board = Board()
        waiting = Waiting(board.look, lambda _: 20)
        call = asyncio.create_task(waiting.until_pending("i", HeldCall(("busy",)), 15))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        board.tasks = [("i", "busy", False), ("i", "old", True)]
        await asyncio.to_thread(waiting.nudge)
        await asyncio.sleep(0.05)
        assert not call.done()
        board.tasks = [("i", "busy", False), ("i", "new", False)]
        await asyncio.to_thread(waiting.nudge)
        assert await call
        assert time.monotonic() - begun < 5

    asyncio.run(scene())


def test_a_nudge_between_the_callers_look_and_its_wait_is_not_lost() -> None:
    async def scene() -> None:
        board = Board()
        waiting = Waiting(board.look, lambda _: 20)
        other = asyncio.create_task(waiting.until_pending("other", HeldCall(()), 0.5))
        await asyncio.sleep(0.05)
        seen = waiting.nudges
        board.tasks = [("i", "t", False)]
        await asyncio.to_thread(waiting.nudge)
        await asyncio.sleep(0.05)
        assert waiting.nudges == seen + 1
        assert await waiting.until_pending("i", HeldCall(()), 15, seen)
        assert not await other

    asyncio.run(scene())


def test_the_next_look_is_later_the_longer_nothing_happens() -> None:
    async def scene() -> None:
        board, idle = Board(), list[float]()

        def pause_after(seconds: float) -> float:
            idle.append(seconds)
            return 0.02

        waiting = Waiting(board.look, pause_after)
        call = asyncio.create_task(waiting.until_pending("i", HeldCall(()), 15))
        await asyncio.sleep(0.2)
        assert idle == sorted(idle)
        waiting.nudge()
        await asyncio.sleep(0.01)
        assert idle[-1] < 0.1
        board.tasks = [("i", "t", False)]
        assert await call

    asyncio.run(scene())


def test_two_calls_of_one_instance_are_both_woken() -> None:
    async def scene() -> None:
        board = Board()
        waiting = Waiting(board.look, lambda _: 0.01)
        calls = [asyncio.create_task(waiting.until_pending("i", HeldCall(()), 5)) for _ in range(2)]
        await asyncio.sleep(0.03)
        board.tasks = [("i", "t", False)]
        assert await asyncio.gather(*calls) == [True, True]

    asyncio.run(scene())


def test_a_database_that_is_away_is_read_again() -> None:
    async def scene() -> None:
        board = Board()
        board.fails, board.tasks = 1, [("i", "t", False)]
        waiting = Waiting(board.look, lambda _: 0.01)
        call = asyncio.create_task(waiting.until_pending("i", HeldCall(()), 10))
        await asyncio.sleep(0.05)
        waiting.nudge()
        assert await call
        assert board.looks >= 2

    asyncio.run(scene())


def test_a_release_lets_everybody_go_for_good() -> None:
    async def scene() -> None:
        waiting = Waiting(Board().look, lambda _: 0.01)
        calls = [
            asyncio.create_task(waiting.until_pending(f"i{n}", HeldCall(()), 30)) for n in range(3)
        ]
        await asyncio.sleep(0.03)
        await asyncio.to_thread(waiting.release)
        assert await asyncio.gather(*calls) == [False] * 3
        assert not await waiting.until_pending("i", HeldCall(()), 30)

    asyncio.run(scene())
