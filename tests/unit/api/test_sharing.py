"""Equal reads are shared, but never with one that came before them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from trove.api.sharing import Shared


def test_who_comes_while_a_read_goes_on_shares_the_next_one() -> None:
    began, go_on = threading.Event(), threading.Event()
    reads: list[int] = []

    def work() -> bytes:
        reads.append(len(reads))
        began.set()
        go_on.wait(10)
        return b"%d" % reads[-1]

    async def read() -> list[bytes]:
        shared = Shared()
        first = asyncio.create_task(shared.read("k", work))
        while not began.is_set():
            await asyncio.sleep(0)
        later = [asyncio.create_task(shared.read("k", work)) for _ in range(5)]
        await asyncio.sleep(0)
        go_on.set()
        return [await task for task in (first, *later)]

    assert asyncio.run(read()) == [b"0"] + [b"1"] * 5


def test_an_error_is_everybodys_and_the_next_read_is_free_of_it() -> None:
    async def read() -> bytes:
        shared = Shared()

        def broken() -> bytes:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await shared.read("k", broken)
        return await shared.read("k", lambda: b"yes")

    assert asyncio.run(read()) == b"yes"


def test_a_short_read_serves_all_who_are_at_hand_and_none_who_come_later() -> None:
    threads: list[int] = []

    def work() -> bytes:
        threads.append(threading.get_ident())
        return b"%d" % len(threads)

    async def read() -> list[bytes]:
        shared = Shared()
        at_hand = [asyncio.create_task(shared.read("k", work, short=True)) for _ in range(5)]
        first = [await task for task in at_hand]
        return [*first, await shared.read("k", work, short=True)]

    assert asyncio.run(read()) == [b"1"] * 5 + [b"2"]
    assert set(threads) == {threading.get_ident()}


def test_a_short_read_that_fails_fails_for_all() -> None:
    async def read() -> list[object]:
        shared = Shared()

        def broken() -> bytes:
            raise ValueError("no")

        pending = [shared.read("k", broken, short=True) for _ in range(2)]
        failures = await asyncio.gather(*pending, return_exceptions=True)
        return [*failures, await shared.read("k", lambda: b"yes", short=True)]

    first, second, after = asyncio.run(read())
    assert isinstance(first, ValueError) and isinstance(second, ValueError)
    assert after == b"yes"
