"""Does tasks, each once, lane by lane, and reports their results."""

from __future__ import annotations

import logging
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


class Withdrawn(Exception):
    """The conductor does not wait for this task any more."""


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
        self._withdrawn: set[str] = set()
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

    def take(self, requests: Sequence[TaskRequest]) -> None:
        """Do these, unless they are done or being done: then the result is reported again."""
        with self._lock:
            for request in requests:
                if request.id not in self._at_hand:
                    self._take_one(request)

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Drop these: one that waits is not begun, one that is retried or long is ended."""
        with self._lock:
            for task_id in self._at_hand.intersection(task_ids):
                entry = self._journal.find(task_id)
                if entry is None or entry.has_ended:
                    self._forget([task_id])
                else:
                    log.info("task %s %s was withdrawn", entry.id, entry.kind)
                    self._withdrawn.add(task_id)

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
        except Withdrawn:
            self._drop(entry)
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
            self._lanes.put(lane_of(request.kind), request)

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
                    self._check_wanted(entry)
                    # From the first attempt on: waiting for another task is not the engine's fault.
                    deadline = deadline or time.monotonic() + task.patience
                    attempt = self._attempt(entry, handler, task)
                    return dict(msgspec.to_builtins(handler.do(self._guest, task, attempt)))
            except Unavailable as error:
                if deadline is None or time.monotonic() > deadline or self._closing.is_set():
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

    def _run_long(self, entry: Entry, handler: Handler, request: TaskRequest) -> TaskResult | None:
        task = LongTask(self._guest.directory, entry.id)
        # One that was adopted has no arguments here: it is not started again.
        if entry.id not in self._adopted and not task.is_alive() and task.result() is None:
            self._check_wanted(entry)
            self._start_long(entry, handler, request, task)
        while task.is_alive():
            if self._closing.is_set():
                return None
            if entry.id in self._withdrawn:
                task.end()
                break
            self._report_progress(task)
            self._pause(PAUSE)
        self._check_wanted(entry)
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

    def _check_wanted(self, entry: Entry) -> None:
        if entry.id in self._withdrawn:
            raise Withdrawn

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

    def _drop(self, entry: Entry) -> None:
        """A withdrawn task has ended, and nothing is reported."""
        self._write(partial(self._journal.fail, entry, "withdrawn", ErrorKind.UNAVAILABLE))
        LongTask(self._guest.directory, entry.id).remove()
        with self._lock:
            self._forget([entry.id])

    def _settle(self, entry: Entry, write: Callable[[], None]) -> None:
        """Record the result, then report it, unless the task was withdrawn meanwhile."""
        self._write(write)
        # Not sooner: the next agent would find neither a process nor a result.
        LongTask(self._guest.directory, entry.id).remove()
        with self._lock:
            if entry.id in self._withdrawn:
                self._forget([entry.id])
                return
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
