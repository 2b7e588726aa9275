"""Does tasks, each once, lane by lane, and reports their results."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import msgspec

import trove.guestagent.tasks  # noqa: F401 - registers the handlers, those of accounts too
from trove.datastores.process import message_of
from trove.errors import Failed, Invalid, TroveError, Unavailable
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import Handler, error_kind_of, handler_of, lane_of, typed
from trove.guestagent.journal import Entry, Journal, TaskState
from trove.guestagent.lanes import EngineTurns, Lanes
from trove.guestagent.long_task import LongTask, left_by_earlier_agents
from trove.guestagent.outbox import Batch, Outbox
from trove.protocol import ErrorKind, TaskProgress, TaskRequest, TaskResult
from trove.protocol.tasks import AgentTask, Lane

log = logging.getLogger(__name__)

PAUSE = 0.25


TOO_LATE = "the instance's agent had no time for it before its deadline; nothing was changed"
WITHDRAWN = "withdrawn before it began; nothing was changed"
INTERRUPTED = "interrupted while it was being done: it is not known how much was changed"
ENDED = "withdrawn while it was being done: its process was ended"


class Dropped(Exception):
    """This task was answered without being done."""


def now() -> float:
    """Seconds, those included for which the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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
        self._waiting: dict[str, float] = {}
        """When each that has not begun is too late. Who removes an id answers for the task."""
        self._withdrawn: set[str] = set()
        """Until the conductor has their results."""
        self._adopted: set[str] = set()
        self._lanes = Lanes()
        self._turns = EngineTurns()
        for entry in journal.unacknowledged():
            self._at_hand.add(entry.id)
            outbox.add_result(entry.as_result())
        self._adopt()

    def busy(self) -> list[str]:
        """Ids of what need not be sent again."""
        with self._lock:
            # Without what was withdrawn: the conductor would answer at once, each time.
            return sorted(self._at_hand - self._withdrawn)

    def settling(self) -> list[str]:
        """Ids of withdrawn tasks whose results the conductor does not have yet."""
        with self._lock:
            return sorted(self._withdrawn)

    def take(self, requests: Sequence[TaskRequest], called_at: float | None = None) -> None:
        """Do these, unless they are done or being done: then the result is reported again.

        `called_at` is when the call was made that brought them; by default now.
        """
        # Not when the answer was read: a process that was stopped meanwhile reads it much later.
        since = now() if called_at is None else called_at
        with self._lock:
            for request in requests:
                if request.id not in self._at_hand:
                    self._take_one(request, since)

    def withdraw(self, task_ids: Collection[str]) -> None:
        """End these, and report what became of each: one that waits is not begun, one that is
        retried or long is ended."""
        with self._lock:
            for task_id in set(task_ids) - self._withdrawn:
                self._withdrawn.add(task_id)
                self._withdraw_one(task_id)

    def drop_late(self) -> None:
        """Report the tasks that wait and may not begin any more."""
        with self._lock:
            for task_id in list(self._waiting):
                self._drop_if_late(task_id)

    def acknowledge(self, batch: Batch) -> None:
        """The conductor has these results."""
        with self._lock:
            self._forget([result.id for result in batch.results])

    def start(self) -> None:
        """Do tasks as they come."""
        self._lanes.start(self.do)

    def do_all(self) -> None:
        """Do what there is to do by now."""
        self._lanes.drain(self.do)

    def end_long_tasks(self) -> None:
        """The agent stops for good, and nothing may stay behind."""
        for task in left_by_earlier_agents(self._guest.directory):
            task.end()

    def do(self, request: TaskRequest) -> None:
        """Do one task, unless the agent is stopping: then it is sent again afterwards."""
        entry = self._journal.take(request)
        log.info("task %s %s begins (%s)", entry.id, entry.kind, request.request_id or "no request")
        try:
            result = self._result_of(entry, request)
        except Dropped:
            log.info("task %s %s was dropped", entry.id, entry.kind)
        except TroveError as error:
            self._fail(entry, str(error), error_kind_of(error))
        except Exception as error:
            log.exception("task %s %s failed unexpectedly", entry.id, entry.kind)
            self._fail(entry, f"{type(error).__name__}: {message_of(error)}", ErrorKind.FAILED)
        else:
            self._take_over(entry, result)

    def _adopt(self) -> None:
        """Go on with the long tasks of an earlier agent, without waiting for the conductor."""
        for task in left_by_earlier_agents(self._guest.directory):
            entry = self._journal.find(task.id)
            if entry is None or entry.has_ended:
                task.end()
                task.remove()
            elif task.is_alive() or task.result():
                log.info("found the process of task %s %s", entry.id, entry.kind)
                self._at_hand.add(entry.id)
                self._adopted.add(entry.id)
                self._lanes.put(Lane.LONG, TaskRequest(entry.id, entry.kind))

    def _take_one(self, request: TaskRequest, since: float) -> None:
        try:
            entry = self._journal.take(request)
        except Invalid as error:
            log.warning("refusing a task: %s", error)
            self._outbox.add_result(TaskResult(request.id, None, str(error), ErrorKind.INVALID))
            return
        self._at_hand.add(request.id)
        if entry.has_ended:
            self._outbox.add_result(entry.as_result())
            return
        within = math.inf if request.begin_within is None else request.begin_within
        self._waiting[request.id] = since + within
        self._lanes.put(lane_of(request.kind), request)

    def _withdraw_one(self, task_id: str) -> None:
        is_waiting = self._waiting.pop(task_id, None) is not None
        if task_id in self._at_hand and not is_waiting:
            return  # it is being done, or has a result
        entry = self._journal.find(task_id)
        if entry is None:
            self._outbox.add_result(TaskResult(task_id, None, WITHDRAWN, ErrorKind.LATE))
            return
        log.info("task %s %s was withdrawn", entry.id, entry.kind)
        if not entry.has_ended:
            begun = entry.state is TaskState.IN_PROGRESS
            text, kind = (INTERRUPTED, ErrorKind.UNKNOWN) if begun else (WITHDRAWN, ErrorKind.LATE)
            self._write(partial(self._journal.fail, entry, text, kind))
        self._at_hand.add(task_id)
        self._outbox.add_result(entry.as_result())

    def _drop_if_late(self, task_id: str) -> None:
        """Not in the journal: if it is wanted nevertheless, the conductor sends it again."""
        if now() >= self._waiting.get(task_id, math.inf):
            del self._waiting[task_id]
            self._outbox.add_result(TaskResult(task_id, None, TOO_LATE, ErrorKind.LATE))

    def _begin(self, entry: Entry) -> float:
        """Until when it may begin. From here on it is neither late nor withdrawn unbegun; raises
        Dropped when it is."""
        with self._lock:
            self._drop_if_late(entry.id)
            if entry.id not in self._waiting:
                raise Dropped
            return self._waiting.pop(entry.id)

    def _result_of(self, entry: Entry, request: TaskRequest) -> TaskResult | None:
        """None when the agent stops before there is a result."""
        handler = handler_of(request.kind)
        if handler.task.lane is Lane.LONG:
            return self._run_long(entry, handler, request)
        result = self._try_for_long(entry, handler, typed(handler, request.args))
        return TaskResult(entry.id, result)

    def _try_for_long(self, entry: Entry, handler: Handler, task: AgentTask[Any]) -> dict[str, Any]:
        deadline: float | None = None
        while True:
            try:
                with self._turns.of(task.lane):
                    # From the first attempt on: waiting for another task is not the engine's fault.
                    deadline = deadline or self._deadline_of(entry, task)
                    attempt = self._attempt(entry, handler, task)
                    return dict(msgspec.to_builtins(handler.do(self._guest, task, attempt)))
            except Unavailable as error:
                if deadline is None or now() > deadline or self._is_over(entry):
                    raise
                log.debug("task %s %s waits: %s", entry.id, entry.kind, error)
                self._pause(PAUSE)

    def _deadline_of(self, entry: Entry, task: AgentTask[Any]) -> float:
        """Of the last attempt; raises Dropped. A request is not waited for any longer."""
        too_late = self._begin(entry)
        patience = now() + task.patience
        return patience if task.event is None else min(patience, too_late)

    def _is_over(self, entry: Entry) -> bool:
        return self._closing.is_set() or entry.id in self._withdrawn

    def _attempt(self, entry: Entry, handler: Handler, task: AgentTask[Any]) -> Attempt:
        repeated = entry.state is TaskState.IN_PROGRESS
        if not repeated:
            # Before the journal says that it began: what the first attempt makes must never be
            # taken for what was there before.
            found = handler.existing(self._guest, task) if handler.existing else []
            self._journal.begin(entry, found)
        return Attempt(repeated, entry.existed or (), self._reporter_of(entry.id))

    def _run_long(self, entry: Entry, handler: Handler, request: TaskRequest) -> TaskResult | None:
        task = LongTask(self._guest.directory, entry.id)
        # One that was adopted has no arguments here: it is not started again.
        if entry.id not in self._adopted:
            self._begin(entry)
            if not task.is_alive() and task.result() is None:
                self._start_long(entry, handler, request, task)
        while task.is_alive():
            if self._closing.is_set():
                return None
            if entry.id in self._withdrawn:
                task.end()
                break
            self._report_progress(task)
            self._pause(PAUSE)
        if entry.id in self._withdrawn:
            return task.result() or TaskResult(entry.id, None, ENDED, ErrorKind.FAILED)
        return task.result() or _died(task)

    def _start_long(
        self, entry: Entry, handler: Handler, request: TaskRequest, task: LongTask
    ) -> None:
        if entry.state is TaskState.IN_PROGRESS and not handler.task.repeatable:
            raise Failed(f"the process of this task ended without a result. {task.tail()}")
        # Checked here, where a refusal costs no process.
        typed(handler, request.args)
        self._journal.begin(entry)
        task.start(request)

    def _report_progress(self, task: LongTask) -> None:
        progress = task.progress()
        if progress is not None:
            self._outbox.set_progress(progress)

    def _reporter_of(self, task_id: str) -> Callable[[float, str], None]:
        return lambda progress, note: self._outbox.set_progress(
            TaskProgress(task_id, progress, note)
        )

    def _take_over(self, entry: Entry, result: TaskResult | None) -> None:
        if result is None:
            return
        if result.error is not None:
            self._fail(entry, result.error, result.error_kind or ErrorKind.FAILED)
            return
        log.info("task %s %s succeeded", entry.id, entry.kind)
        self._settle(entry, partial(self._journal.succeed, entry, result.result or {}))

    def _fail(self, entry: Entry, error: str, kind: str) -> None:
        if self._closing.is_set():
            return
        log.warning("task %s %s failed: %s", entry.id, entry.kind, error)
        self._settle(entry, partial(self._journal.fail, entry, error, kind))

    def _settle(self, entry: Entry, write: Callable[[], None]) -> None:
        """Record the result, then report it, unless it was withdrawn before it began."""
        with self._lock:
            self._waiting.pop(entry.id, None)
            if entry.has_ended:
                return
            self._write(write)
        # Not sooner: the next agent would find neither a process nor a result.
        LongTask(self._guest.directory, entry.id).remove()
        self._outbox.add_result(entry.as_result())

    def _write(self, write: Callable[[], None]) -> None:
        """A full disk must not keep the result back."""
        try:
            write()
        except OSError:
            log.exception("cannot write the journal")

    def _forget(self, task_ids: Collection[str]) -> None:
        self._journal.acknowledge(task_ids)
        self._at_hand.difference_update(task_ids)
        self._withdrawn.difference_update(task_ids)


def _died(task: LongTask) -> TaskResult:
    error = f"the process of this task ended without a result. {task.tail()}"
    return TaskResult(task.id, None, error, ErrorKind.FAILED)
