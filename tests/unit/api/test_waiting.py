"""Who waits for an agent: so many requests of one instance and of one project at most."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from trove.api.waiting import MOST_OF_INSTANCE, MOST_OF_PROJECT, THREADS, Waiting
from trove.errors import NotReady


class Slow:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.at_work = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.at_work += 1
        assert self.go_on.wait(30)
        return "answered"


def run(case: Callable[[Waiting, Slow], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        slow = Slow()
        try:
            await asyncio.wait_for(case(Waiting(), slow), 60)
        finally:
            slow.go_on.set()

    asyncio.run(all_of_it())


async def begun(waiting: Waiting, slow: Slow, *who: tuple[str, str]) -> list[asyncio.Task[str]]:
    """These wait, each in its thread."""
    wanted = slow.at_work + len(who)
    tasks = [asyncio.create_task(waiting.run(*each, slow)) for each in who]
    while slow.at_work < wanted:
        await asyncio.sleep(0.01)
    return tasks


def test_one_instance_has_so_many_places_and_another_project_none_of_them() -> None:
    async def case(waiting: Waiting, slow: Slow) -> None:
        tasks = await begun(waiting, slow, *[("p", "i")] * MOST_OF_INSTANCE)
        with pytest.raises(NotReady, match="agent of instance i"):
            await waiting.run("p", "i", slow)
        tasks += await begun(waiting, slow, ("p", "other"), ("other project", "i"))
        slow.go_on.set()
        assert set(await asyncio.gather(*tasks)) == {"answered"}
        assert await waiting.run("p", "i", slow) == "answered"
        assert not waiting._going

    run(case)


def test_one_project_has_so_many_places_and_leaves_the_others_theirs() -> None:
    async def case(waiting: Waiting, slow: Slow) -> None:
        many = [("p", f"i{n}") for n in range(MOST_OF_PROJECT)]
        tasks = await begun(waiting, slow, *many)
        with pytest.raises(NotReady, match="agents of this project"):
            await waiting.run("p", "another", slow)
        tasks += await begun(waiting, slow, ("q", "i"))
        slow.go_on.set()
        await asyncio.gather(*tasks)

    run(case)
    assert 3 * MOST_OF_PROJECT < THREADS


def test_a_place_is_free_again_after_a_failure() -> None:
    def broken() -> None:
        raise ValueError("no")

    async def case(waiting: Waiting, slow: Slow) -> None:
        for _ in range(MOST_OF_INSTANCE + 1):
            with pytest.raises(ValueError, match="no"):
                await waiting.run("p", "i", broken)

    run(case)
