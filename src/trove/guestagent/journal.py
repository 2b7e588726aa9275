"""What became of every task, on disk, so that a task given twice is done once.

Law: arguments are never written down, for they hold passwords: a task that was not finished is
sent again by the conductor, unless it is not needed any more.
"""

from __future__ import annotations

import enum
import logging
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from trove.errors import Failed, Invalid
from trove.guestagent.files import read_json, write_json
from trove.protocol import TaskRequest, TaskResult

log = logging.getLogger(__name__)

KEEP_ACKNOWLEDGED = 3600.0
KEEP_FORGOTTEN = 7 * 86400.0


class TaskState(enum.StrEnum):
    """How far a task has come."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Entry(msgspec.Struct, omit_defaults=True):
    """One task."""

    id: str
    kind: str
    state: TaskState = TaskState.NOT_STARTED
    existed: list[str] | None = None
    """Which of the things that the task is to create were there before it began."""
    result: dict[str, Any] | None = None
    error: str | None = None
    error_kind: str | None = None
    acknowledged: bool = False
    at: float = 0.0
    """Unix time of the last change."""

    @property
    def has_ended(self) -> bool:
        return self.state in {TaskState.SUCCEEDED, TaskState.FAILED}

    def as_result(self) -> TaskResult:
        return TaskResult(self.id, self.result, self.error, self.error_kind)


class Journal:
    """One file for each task; it belongs to one process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, exist_ok=True)
        # What a write left that was cut off by a crash.
        for rest in directory.glob(".*.json.*"):
            rest.unlink(missing_ok=True)
        self._entries = {e.id: e for p in directory.glob("*.json") if (e := _readable(p))}
        self._prune()

    def find(self, task_id: str) -> Entry | None:
        return self._entries.get(task_id)

    def unacknowledged(self) -> list[Entry]:
        """What has ended without the conductor's knowing, the oldest first."""
        waiting = [e for e in self._entries.values() if e.has_ended and not e.acknowledged]
        return sorted(waiting, key=lambda entry: entry.at)

    def take(self, request: TaskRequest) -> Entry:
        """Write down that there is this task, unless it is known."""
        entry = self._entries.get(request.id)
        if entry is None:
            entry = Entry(_checked(request.id), request.kind)
            self._write(entry, durable=False)
        return entry

    def begin(self, entry: Entry, existed: list[str] | None = None) -> None:
        """From here on a task that is given again has been attempted before."""
        entry.state = TaskState.IN_PROGRESS
        entry.existed = existed
        # It may have been found late before, which the conductor knows.
        entry.acknowledged = False
        self._write(entry)

    def succeed(self, entry: Entry, result: dict[str, Any]) -> None:
        entry.state, entry.result = TaskState.SUCCEEDED, result
        self._write(entry)

    def fail(self, entry: Entry, error: str, kind: str) -> None:
        entry.state, entry.error, entry.error_kind = TaskState.FAILED, error, kind
        self._write(entry)

    def acknowledge(self, task_ids: Iterable[str]) -> None:
        """The conductor has these answers. They are kept for a while: a call that was under way
        may bring the same task once more."""
        for entry in filter(None, map(self.find, task_ids)):
            entry.acknowledged = True
            self._write(entry, durable=False)
        self._prune()

    def _write(self, entry: Entry, *, durable: bool = True) -> None:
        entry.at = time.time()
        write_json(self._path_of(entry), entry, durable=durable)
        self._entries[entry.id] = entry

    def _prune(self) -> None:
        now = time.time()
        for entry in list(self._entries.values()):
            if now - entry.at > (KEEP_ACKNOWLEDGED if entry.acknowledged else KEEP_FORGOTTEN):
                self._path_of(entry).unlink(missing_ok=True)
                del self._entries[entry.id]

    def _path_of(self, entry: Entry) -> Path:
        return self._directory / f"{entry.id}.json"


def _readable(path: Path) -> Entry | None:
    """An entry that a power cut left empty is as good as none: its task is given again."""
    try:
        return read_json(path, Entry)
    except Failed as error:
        log.warning("ignoring a journal entry: %s", error)
        return None


def _checked(task_id: str) -> str:
    """The id becomes a file's name. Raises Invalid."""
    try:
        return str(uuid.UUID(task_id))
    except ValueError:
        raise Invalid(f"{task_id!r} is not the id of a task") from None
