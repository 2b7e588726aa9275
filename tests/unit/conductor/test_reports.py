"""Reports are stored together while the metadata database is busy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from trove.conductor import reports as module
from trove.conductor.reports import AT_ONCE, LARGEST, Reports
from trove.errors import NotFound, Unavailable


class Store:
    """Keeps what it is given, batch by batch, once it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, calls: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(calls))
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return [NotFound("gone") if call == "gone" else call.upper() for call in calls]


class Rig:
    """Reports with their store, within a running loop."""

    def __init__(self) -> None:
        self.store = Store()
        self.reports: Reports[str, str] = Reports(self.store)

    def send(self, *names: str) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(self.reports.stored(name)) for name in names]

    async def fill(self) -> list[asyncio.Task[str]]:
        """One call in each transaction that there may be at a time; none ends."""
        sent: list[asyncio.Task[str]] = []
        for number in range(AT_ONCE):
            sent += self.send(f"first {number}")
            while len(self.store.batches) <= number:
                await asyncio.sleep(0)
        return sent


@pytest.fixture(autouse=True)
def no_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPACING", 0.0)


def test_calls_that_come_meanwhile_make_up_the_next_batches() -> None:
    async def run() -> None:
        rig = Rig()
        first = await rig.fill()
        names = ["gone", *(f"n{number}" for number in range(LARGEST))]
        calls = rig.send(*names)
        await asyncio.sleep(0)
        calls[1].cancel()
        rig.store.free.set()
        answers = await asyncio.gather(*first, *calls, return_exceptions=True)
        assert rig.store.batches[AT_ONCE:] == [names[:LARGEST], names[LARGEST:]]
        assert answers[:AT_ONCE] == [f"FIRST {number}" for number in range(AT_ONCE)]
        gone, cancelled, *others = answers[AT_ONCE:]
        assert isinstance(gone, NotFound)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert others == [name.upper() for name in names[2:]]
        assert await rig.reports.stored("again") == "AGAIN"

    asyncio.run(run())


def test_one_call_is_stored_at_once_and_gets_its_own_error() -> None:
    async def run() -> None:
        rig = Rig()
        rig.store.free.set()
        with pytest.raises(NotFound):
            await rig.reports.stored("gone")
        assert await rig.reports.stored("here") == "HERE"
        assert rig.store.batches == [["gone"], ["here"]]

    asyncio.run(run())


def test_an_error_of_the_store_reaches_all_and_the_next_succeed() -> None:
    async def run() -> None:
        rig = Rig()
        first = await rig.fill()
        calls = rig.send("a", "b")
        await asyncio.sleep(0)
        rig.store.error = ConnectionError("no descriptor left")
        rig.store.free.set()
        answers = await asyncio.gather(*first, *calls, return_exceptions=True)
        assert {str(answer) for answer in answers} == {"no descriptor left"}
        rig.store.error = None
        assert await rig.reports.stored("c") == "C"

    asyncio.run(run())


def test_a_transaction_that_hangs_keeps_no_other_waiting() -> None:
    async def run() -> None:
        rig = Rig()
        [hanging] = rig.send("hangs")
        while not rig.store.batches:
            await asyncio.sleep(0)
        rig.store.free = asyncio.Event()
        rig.store.free.set()
        assert await rig.reports.stored("another") == "ANOTHER"
        assert not hanging.done()
        hanging.cancel()

    asyncio.run(run())


def test_a_call_waits_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        rig = Rig()
        first = await rig.fill()
        monkeypatch.setattr(module, "PATIENCE", 0.01)
        with pytest.raises(Unavailable, match="try again"):
            await rig.reports.stored("waits")
        # What was sent may be stored yet: a report that is stored twice is the same report.
        rig.store.free.set()
        await asyncio.gather(*first)
        monkeypatch.undo()
        assert await rig.reports.stored("again") == "AGAIN"

    asyncio.run(run())


def test_calls_right_after_a_transaction_share_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a transaction that lasts: what keeps them together is time."""

    class Clock:
        now = 100.0
        paused: list[float] = []

    async def sleep(seconds: float) -> None:
        Clock.paused.append(round(seconds, 6))
        for _ in range(5):
            await turn(0)
        Clock.now += seconds

    async def run() -> None:
        rig = Rig()
        rig.store.free.set()
        asyncio.get_running_loop().time = lambda: Clock.now  # type: ignore[method-assign]
        assert await rig.reports.stored("alone") == "ALONE"
        Clock.now += 0.005
        assert await asyncio.gather(*rig.send("a", "b", "c")) == ["A", "B", "C"]
        Clock.now += 1
        assert await rig.reports.stored("later") == "LATER"
        assert rig.store.batches == [["alone"], ["a", "b", "c"], ["later"]]
        assert Clock.paused == [0.015]

    turn = asyncio.sleep
    monkeypatch.setattr(module, "SPACING", 0.02)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(run())
