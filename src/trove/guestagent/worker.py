"""Does tasks one after the other, each once, and reports their results."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

import trove.guestagent.tasks  # noqa: F401 - registers the handlers, those of accounts too
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
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import Handler, handler_of, typed
from trove.guestagent.journal import Entry, Journal, TaskState
from trove.guestagent.outbox import Batch, Outbox
from trove.protocol import ErrorKind, TaskProgress, TaskRequest, TaskResult
from trove.protocol.tasks import AgentTask

log = logging.getLogger(__name__)

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
        guest: Guest,
        closing: threading.Event,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._guest = guest
        self._closing = closing
        self._pause = pause or closing.wait
        self._lock = threading.Lock()
        self._at_hand: set[str] = set()
        self._queue: queue.SimpleQueue[TaskRequest] = queue.SimpleQueue()
        for entry in journal.unacknowledged():
            self._at_hand.add(entry.id)
            outbox.add_result(entry.as_result())

    def busy(self) -> list[str]:
        """Ids of what need not be sent again."""
        with self._lock:
            return sorted(self._at_hand)

    def take(self, requests: Sequence[TaskRequest]) -> None:
        """Do these, unless they are done or being done: then the result is reported again."""
        with self._lock:
            for request in requests:
                if request.id not in self._at_hand:
                    self._take_one(request)

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

    def do(self, request: TaskRequest) -> None:
        """Do one task, unless the agent is stopping: then it is sent again afterwards."""
        entry = self._journal.take(request)
        log.info("task %s %s begins (%s)", entry.id, entry.kind, request.request_id or "no request")
        try:
            result = self._try_for_long(entry, request)
        except TroveError as error:
            self._fail(entry, str(error), _kind_of(error))
        except Exception as error:
            log.exception("task %s %s failed unexpectedly", entry.id, entry.kind)
            self._fail(entry, f"{type(error).__name__}: {message_of(error)}", ErrorKind.FAILED)
        else:
            log.info("task %s %s succeeded", entry.id, entry.kind)
            self._settle(entry, partial(self._journal.succeed, entry, result))

    def _take_one(self, request: TaskRequest) -> None:
        try:
            entry = self._journal.take(request)
        except Invalid as error:
            log.warning("refusing a task: %s", error)
            self._outbox.add_result(TaskResult(request.id, None, str(error), ErrorKind.INVALID))
            return
        self._at_hand.add(request.id)
        if entry.has_ended:
            self._outbox.add_result(entry.as_result())
        else:
            self._queue.put(request)

    def _try_for_long(self, entry: Entry, request: TaskRequest) -> dict[str, Any]:
        handler = handler_of(request.kind)
        task = typed(handler, request.args)
        deadline = time.monotonic() + task.patience
        while True:
            try:
                attempt = self._attempt(entry, handler, task)
                return dict(msgspec.to_builtins(handler.do(self._guest, task, attempt)))
            except Unavailable as error:
                if time.monotonic() > deadline or self._closing.is_set():
                    raise
                log.debug("task %s %s waits: %s", entry.id, entry.kind, error)
                self._pause(PAUSE)

    def _attempt(self, entry: Entry, handler: Handler, task: AgentTask[Any]) -> Attempt:
        repeated = entry.state is TaskState.IN_PROGRESS
        if not repeated:
            # Before the journal says that it began: what the first attempt makes must never be
            # taken for what was there before.
            found = handler.existing(self._guest, task) if handler.existing else []
            self._journal.begin(entry, found)
        return Attempt(repeated, entry.existed or (), self._reporter_of(entry.id))

    def _reporter_of(self, task_id: str) -> Callable[[float, str], None]:
        return lambda progress, note: self._outbox.set_progress(
            TaskProgress(task_id, progress, note)
        )

    def _fail(self, entry: Entry, error: str, kind: ErrorKind) -> None:
        if self._closing.is_set():
            return
        log.warning("task %s %s failed: %s", entry.id, entry.kind, error)
        self._settle(entry, partial(self._journal.fail, entry, error, kind))

    def _settle(self, entry: Entry, write: Callable[[], None]) -> None:
        """A full disk must not keep the result back."""
        try:
            write()
        except OSError:
            log.exception("cannot write the journal")
        self._outbox.add_result(entry.as_result())


def _kind_of(error: TroveError) -> ErrorKind:
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), ErrorKind.FAILED)
