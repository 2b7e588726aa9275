"""Equal reads that wait at the same time are done once.

Law: an answer was read after its request arrived, so every client sees what it has written before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from starlette.concurrency import run_in_threadpool


class Shared:
    """One event loop's reads; no locks, for nothing here waits between looking and writing."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[bytes]] = {}
        self._following: dict[Hashable, asyncio.Task[bytes]] = {}

    async def read(self, key: Hashable, work: Callable[[], bytes], *, short: bool = False) -> bytes:
        """What `work` returns, done once for all calls with this key that come before it starts.

        In a thread, unless it is `short`: then on the event loop, once it has accepted the requests
        that have arrived. A thread that reads rows of SQLite lets go of the interpreter's lock for
        each, and waits up to 5 ms for every return of it from a busy event loop: 100 ms a page.
        """
        following = self._following.get(key)
        if following is None:
            work_done = self._work(key, work) if short else self._work_in_thread(key, work)
            following = self._following[key] = asyncio.create_task(work_done)
        # A client that disconnects must not end the read of all others.
        return await asyncio.shield(following)

    async def _work(self, key: Hashable, work: Callable[[], bytes]) -> bytes:
        # Later calls get the next read: this one may not see what was written meanwhile.
        del self._following[key]
        return work()

    async def _work_in_thread(self, key: Hashable, work: Callable[[], bytes]) -> bytes:
        # At most one read and one that waits for each key, however many calls there are.
        while key in self._running:
            await asyncio.wait([self._running[key]])
        self._running[key] = self._following.pop(key)
        try:
            return await run_in_threadpool(work)
        finally:
            del self._running[key]
