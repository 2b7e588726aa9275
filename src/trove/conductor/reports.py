"""Stores the reports of many calls together.

Law: those that arrive while others are being stored, or right after, share the next transaction: a
transaction costs as much as a dozen reports. A call that comes alone is stored at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from trove.errors import Unavailable

C = TypeVar("C")
S = TypeVar("S")

LARGEST = 200
"""Calls of one transaction."""
AT_ONCE = 3
"""Transactions: one that waits for a lock does not keep all others waiting."""
SPACING = 0.02
"""Seconds from the beginning of one transaction to that of the next."""
PATIENCE = 30.0
"""Seconds until a call is refused; its agent repeats it."""


class Reports(Generic[C, S]):
    """Calls that wait to be stored. Belongs to one event loop."""

    def __init__(self, store: Callable[[Sequence[C]], Awaitable[Sequence[S | Exception]]]) -> None:
        self._store = store
        self._free = asyncio.Semaphore(AT_ONCE)
        self._filling: Batch[C, S] | None = None
        self._begun = -SPACING
        """When the last transaction began, by the loop's clock."""

    async def stored(self, call: C) -> S:
        """What was returned for this call, or raises the error that was; or Unavailable."""
        batch = self._filling
        if batch is None or len(batch.calls) == LARGEST:
            batch = self._filling = Batch()
            batch.work = asyncio.create_task(self._store_all(batch), name="reports")
        return await batch.outcome_of(call)

    async def _store_all(self, batch: Batch[C, S]) -> None:
        loop = asyncio.get_running_loop()
        # One timer for all of them.
        refusal = loop.call_later(PATIENCE, batch.refuse)
        async with self._free:
            if (pause := self._begun + SPACING - loop.time()) > 0:
                await asyncio.sleep(pause)
            self._begun = loop.time()
            if self._filling is batch:
                self._filling = None
            # An error that the store raises is every call's.
            [found] = await asyncio.gather(self._store(batch.calls), return_exceptions=True)
        refusal.cancel()
        if isinstance(found, BaseException):
            batch.fail(found)
        else:
            batch.conclude(found)


class Batch(Generic[C, S]):
    """Calls of one transaction, each with what becomes of it."""

    def __init__(self) -> None:
        self.calls: list[C] = []
        self.work: asyncio.Task[None] | None = None
        self._outcomes: list[asyncio.Future[S]] = []

    def outcome_of(self, call: C) -> asyncio.Future[S]:
        """Of one more call."""
        outcome: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self.calls.append(call)
        self._outcomes.append(outcome)
        return outcome

    def conclude(self, results: Sequence[S | BaseException]) -> None:
        """Answer those that still wait."""
        for outcome, result in zip(self._outcomes, results, strict=True):
            if outcome.done():
                continue
            if isinstance(result, BaseException):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)

    def refuse(self) -> None:
        """They have waited for long enough; what they sent may be stored yet."""
        self.fail(Unavailable("The metadata database does not answer; try again."))

    def fail(self, error: BaseException) -> None:
        """Answer those that still wait with the same error."""
        self.conclude([error] * len(self.calls))
