"""Which tasks may run at the same time.

| lane     | beside others                                                                   |
|----------|---------------------------------------------------------------------------------|
| engine   | alone with the accounts: never while a statement of an account task is under way |
| accounts | alone with the engine; gives way to it between two attempts                      |
| long     | beside both: a process of its own, which must bear a restart of the engine       |

Law: a task that changes the engine and one that changes accounts exclude each other, as when one
thread did them all. A restart under a half-made user would turn a task that succeeds into one that
is repeated; and an engine that an account task finds stopped on purpose is not down by accident.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from trove.protocol import TaskRequest
from trove.protocol.tasks import Lane

Work = Callable[[TaskRequest], None]


class EngineTurns:
    """One holder at a time; of those who wait, tasks of the engine lane go first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False
        self._first_waiting = 0

    def of(self, lane: Lane) -> AbstractContextManager[None]:
        if lane is Lane.LONG:
            return nullcontext()
        return self._first() if lane is Lane.ENGINE else self._held()

    @contextmanager
    def _first(self) -> Iterator[None]:
        with self._changed:
            self._first_waiting += 1
        try:
            with self._held(gives_way=False):
                yield
        finally:
            with self._changed:
                self._first_waiting -= 1
                self._changed.notify_all()

    @contextmanager
    def _held(self, *, gives_way: bool = True) -> Iterator[None]:
        with self._changed:
            # An engine task counts as waiting until it is done, so that the accounts' thread, which
            # may be quicker to come back, does not take the lock from the next one of its lane.
            while self._is_held or (gives_way and self._first_waiting):
                self._changed.wait()
            self._is_held = True
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()


class Lanes:
    """A queue for each lane, and a thread that works it off."""

    def __init__(self) -> None:
        self._queues: dict[Lane, queue.SimpleQueue[TaskRequest]] = {
            lane: queue.SimpleQueue() for lane in Lane
        }

    def put(self, lane: Lane, request: TaskRequest) -> None:
        self._queues[lane].put(request)

    def start(self, work: Work) -> None:
        """Work off each lane in a thread of its own, for as long as the process lives."""
        for lane in Lane:
            threading.Thread(target=self._run, args=(lane, work), name=lane, daemon=True).start()

    def drain(self, work: Work) -> None:
        """Work off, in this thread, what there is by now."""
        for waiting in self._queues.values():
            while not waiting.empty():
                work(waiting.get())

    def _run(self, lane: Lane, work: Work) -> None:
        while True:
            work(self._queues[lane].get())
