"""Holds calls open until there is a task for their instance, or one of theirs is withdrawn.

Law: however many calls are held, one query at a time looks for all of them; while none is held,
there is none. The only asynchronous code of Trove is here and in `app.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

Look = Callable[[], Awaitable[Iterable[tuple[str, str, bool]]]]
"""Finds every (instance id, task id, whether it is too late to hand it out) that is to be done."""

PauseAfter = Callable[[float], float]
"""Seconds until the next look, when nothing has happened for so many."""

PAUSE_AFTER_ERROR = 1.0


@dataclass(eq=False)
class HeldCall:
    """One call that is being held."""

    busy: Collection[str]
    """The tasks that its agent has already."""
    watched: set[str] = field(default_factory=set)
    """Those of them whose withdrawal wakes the call."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Waiting:
    """All the calls that one process holds. Belongs to one event loop."""

    def __init__(self, look: Look, pause_after: PauseAfter) -> None:
        self._look = look
        self._pause_after = pause_after
        self._last = time.monotonic()
        """When something happened last: a nudge, or a task that woke a call."""
        self.nudges = 0
        self._held: defaultdict[str, set[HeldCall]] = defaultdict(set)
        self._nudged = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poller: asyncio.Task[None] | None = None
        self._released = False

    async def until_pending(
        self, instance_id: str, call: HeldCall, seconds: float, seen: int | None = None
    ) -> bool:
        """Whether, within this time, there was a task that is not busy, or a withdrawn one.

        `seen` is what `nudges` was before the caller looked for tasks itself.
        """
        if self._released:
            return False
        # The look that followed a nudge since then knew nothing of this call.
        if seen not in (None, self.nudges):
            self._nudged.set()
        self._held[instance_id].add(call)
        self._ensure_poller()
        try:
            await asyncio.wait_for(call.woken.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._let_go(instance_id, call)
        return not self._released

    def unwatch(self, instance_id: str, task_ids: Iterable[str]) -> None:
        """The agent has ended these itself: that they are open no more wakes none of its calls."""
        for call in self._held.get(instance_id, ()):
            call.watched.difference_update(task_ids)

    def nudge_if_watched(self) -> None:
        """A task may be withdrawn now. From any thread."""
        self._soon(self._note_if_watched)

    def nudge(self) -> None:
        """There may be a task now: look at once. From any thread."""
        self._soon(self._note_nudge)

    def release(self) -> None:
        """Answer every held call now and hold no other: the process is about to stop. From any
        thread."""
        self._released = True
        self._soon(self._wake_all)

    def _soon(self, action: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    def _note_if_watched(self) -> None:
        if any(call.watched for calls in self._held.values() for call in calls):
            self._note_nudge()

    def _note_nudge(self) -> None:
        self.nudges += 1
        self._last = time.monotonic()
        self._nudged.set()

    def _let_go(self, instance_id: str, call: HeldCall) -> None:
        self._held[instance_id].discard(call)
        if not self._held[instance_id]:
            del self._held[instance_id]

    def _ensure_poller(self) -> None:
        if self._poller is None or self._poller.done():
            self._loop = asyncio.get_running_loop()
            self._poller = self._loop.create_task(self._poll(), name="pending-tasks")

    async def _poll(self) -> None:
        while self._held:
            # Before the look: a nudge that comes during it must lead to another.
            self._nudged.clear()
            try:
                self._wake(await self._look())
                pause = self._pause_after(time.monotonic() - self._last)
            except SQLAlchemyError as error:
                log.warning("the metadata database does not answer, retrying: %s", error)
                pause = PAUSE_AFTER_ERROR
            await self._rest(pause)

    def _wake(self, pending: Iterable[tuple[str, str, bool]]) -> None:
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        # One that is late is not withdrawn while it is under way, and brings no agent anything.
        new: defaultdict[str, set[str]] = defaultdict(set)
        for instance_id, task_id, is_late in pending:
            wanted[instance_id].add(task_id)
            if not is_late:
                new[instance_id].add(task_id)
        for instance_id, calls in self._held.items():
            tasks, to_hand_out = wanted.get(instance_id, set()), new.get(instance_id, set())
            for call in calls:
                if not to_hand_out.issubset(call.busy) or not call.watched.issubset(tasks):
                    self._last = time.monotonic()
                    call.woken.set()

    def _wake_all(self) -> None:
        for calls in self._held.values():
            for call in calls:
                call.woken.set()

    async def _rest(self, pause: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nudged.wait(), pause)
