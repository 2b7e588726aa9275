"""Stores the reports of many calls together.

Law: those that arrive while others are being stored, or right after, share the next transaction: a
transaction costs as much as a dozen reports. A call that comes alone is stored at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Batch(Generic[C, S]):
    """Calls of one transaction."""

    calls: list[C] = field(default_factory=list)
    work: asyncio.Task[Sequence[S | Exception]] | None = None


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
        if batch is None or batch.work is None or len(batch.calls) == LARGEST:
            batch = self._filling = Batch()
            batch.work = asyncio.create_task(self._store_all(batch), name="reports")
        number = len(batch.calls)
        batch.calls.append(call)
        # A call that is given up does not take the others along.
        shared = asyncio.shield(batch.work)
        try:
            result = (await asyncio.wait_for(shared, PATIENCE))[number]
        except TimeoutError:
            raise Unavailable("The metadata database does not answer; try again.") from None
        if isinstance(result, Exception):
            raise result
        return result

    async def _store_all(self, batch: Batch[C, S]) -> Sequence[S | Exception]:
        loop = asyncio.get_running_loop()
        async with self._free:
            if (pause := self._begun + SPACING - loop.time()) > 0:
                await asyncio.sleep(pause)
            self._begun = loop.time()
            if self._filling is batch:
                self._filling = None
            return await self._store(batch.calls)
