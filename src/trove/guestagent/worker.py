"""Does tasks one after the other, each once, and tells what came of them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from trove.datastores.process import message_of
from trove.errors import (
    AlreadyExists,
    Invalid,
    NotFound,
    NotSupported,
    TroveError,
    Unavailable,
)
from trove.guestagent.attempt import Attempt
from trove.guestagent.journal import Entry, Journal, TaskState
from trove.guestagent.outbox import Batch, Outbox
from trove.guestagent.tasks import Tasks
from trove.protocol import ErrorKind, TaskKind, TaskOrder, TaskProgress, TaskResult

log = logging.getLogger(__name__)

PATIENCE: dict[str, float] = {TaskKind.PREPARE: 600.0}
"""Seconds for which a task is tried again while something that it needs does not answer."""
USUAL_PATIENCE = 8.0
PAUSE = 0.25

KINDS: tuple[tuple[type[TroveError], ErrorKind], ...] = (
    (AlreadyExists, ErrorKind.EXISTS),
    (Invalid, ErrorKind.INVALID),
    (NotFound, ErrorKind.NOT_FOUND),
    (NotSupported, ErrorKind.INVALID),
    (Unavailable, ErrorKind.UNAVAILABLE),
)


class Worker:
    """The tasks of one agent."""

    def __init__(
        self,
        journal: Journal,
        outbox: Outbox,
        tasks: Tasks,
        closing: threading.Event,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._tasks = tasks
        self._closing = closing
        self._pause = pause or closing.wait
        self._lock = threading.Lock()
        self._at_hand: set[str] = set()
        self._queue: queue.SimpleQueue[TaskOrder] = queue.SimpleQueue()
        for entry in journal.unacknowledged():
            self._at_hand.add(entry.id)
            outbox.add_result(entry.as_result())

    def busy(self) -> list[str]:
        """What need not be given again."""
        with self._lock:
            return sorted(self._at_hand)

    def take(self, orders: Sequence[TaskOrder]) -> None:
        """Do these, unless they are done or being done: then the answer is told again."""
        with self._lock:
            for order in orders:
                if order.id not in self._at_hand:
                    self._take_one(order)

    def acknowledge(self, batch: Batch) -> None:
        """The conductor has these results."""
        with self._lock:
            ids = [result.id for result in batch.results]
            self._journal.acknowledge(ids)
            self._at_hand.difference_update(ids)

    def work(self) -> None:
        """Do tasks as they come; never returns."""
        while True:
            self.do(self._queue.get())

    def do_all(self) -> None:
        """Do what there is to do by now."""
        while not self._queue.empty():
            self.do(self._queue.get())

    def do(self, order: TaskOrder) -> None:
        """Do one task, unless the agent is stopping: then it is given again afterwards."""
        entry = self._journal.take(order)
        log.info("task %s %s begins (%s)", entry.id, entry.kind, order.request_id or "no request")
        try:
            result = self._try_for_long(entry, order)
        except TroveError as error:
            self._fail(entry, str(error), _kind_of(error))
        except Exception as error:
            log.exception("task %s %s failed unexpectedly", entry.id, entry.kind)
            self._fail(entry, f"{type(error).__name__}: {message_of(error)}", ErrorKind.FAILED)
        else:
            log.info("task %s %s succeeded", entry.id, entry.kind)
            self._settle(entry, partial(self._journal.succeed, entry, result))

    def _take_one(self, order: TaskOrder) -> None:
        try:
            entry = self._journal.take(order)
        except Invalid as error:
            log.warning("refusing a task: %s", error)
            self._outbox.add_result(TaskResult(order.id, None, str(error), ErrorKind.INVALID))
            return
        self._at_hand.add(order.id)
        if entry.has_ended:
            self._outbox.add_result(entry.as_result())
        else:
            self._queue.put(order)

    def _try_for_long(self, entry: Entry, order: TaskOrder) -> dict[str, object]:
        deadline = time.monotonic() + PATIENCE.get(order.kind, USUAL_PATIENCE)
        while True:
            try:
                return self._tasks.do(self._attempt(entry, order))
            except Unavailable as error:
                if time.monotonic() > deadline or self._closing.is_set():
                    raise
                log.debug("task %s %s waits: %s", entry.id, entry.kind, error)
                self._pause(PAUSE)

    def _attempt(self, entry: Entry, order: TaskOrder) -> Attempt:
        repeated = entry.state is TaskState.IN_PROGRESS
        if not repeated:
            self._journal.begin(entry, self._tasks.existing(Attempt(order)))
        return Attempt(order, repeated, entry.existed or (), self._teller(order.id))

    def _teller(self, task_id: str) -> Callable[[float, str], None]:
        return lambda progress, note: self._outbox.set_progress(
            TaskProgress(task_id, progress, note)
        )

    def _fail(self, entry: Entry, error: str, kind: ErrorKind) -> None:
        if self._closing.is_set():
            return
        log.warning("task %s %s failed: %s", entry.id, entry.kind, error)
        self._settle(entry, partial(self._journal.fail, entry, error, kind))

    def _settle(self, entry: Entry, write: Callable[[], None]) -> None:
        """A full disk is no reason to keep the answer from whoever waits for it."""
        try:
            write()
        except OSError:
            log.exception("the journal can not be written")
        self._outbox.add_result(entry.as_result())


def _kind_of(error: TroveError) -> ErrorKind:
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), ErrorKind.FAILED)
