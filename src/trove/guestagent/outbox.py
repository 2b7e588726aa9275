"""What the conductor is to receive: the engine's state, the accounts, progress and results.

Threads put things in; one thread takes them out and, once the conductor has them, says so.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trove.guestagent.engine import Engine
from trove.guestagent.state import AgentDirectory
from trove.protocol import Accounts, Report, TaskProgress, TaskResult

GIB = 1024**3
MEASURE_EVERY = 30.0


@dataclass(frozen=True)
class Batch:
    """What one call sends."""

    results: list[TaskResult]
    progress: list[TaskProgress]
    accounts: Accounts | None


class Outbox:
    """What has not been sent yet."""

    def __init__(self) -> None:
        self.news = threading.Event()
        """There is something to send at once."""
        self._lock = threading.Lock()
        self._results: dict[str, TaskResult] = {}
        self._progress: dict[str, TaskProgress] = {}
        self._accounts: Accounts | None = None
        self._sent_accounts: Accounts | None = None

    def add_result(self, result: TaskResult) -> None:
        with self._lock:
            self._results[result.id] = result
            self._progress.pop(result.id, None)
        self.news.set()

    def set_progress(self, progress: TaskProgress) -> None:
        """Travels with what is sent next."""
        with self._lock:
            self._progress[progress.id] = progress

    def set_accounts(self, accounts: Accounts) -> None:
        with self._lock:
            self._accounts = accounts
            changed = accounts != self._sent_accounts
        if changed:
            self.news.set()

    def batch(self) -> Batch:
        """All that is to be sent now. News that come after this set the event again."""
        self.news.clear()
        with self._lock:
            changed = self._accounts != self._sent_accounts
            if changed:
                # From here on it is unknown what the conductor has, for an answer may be lost: what
                # it received before is sent again, too, should the accounts become that again.
                self._sent_accounts = None
            return Batch(
                list(self._results.values()),
                list(self._progress.values()),
                self._accounts if changed else None,
            )

    def acknowledge(self, batch: Batch) -> None:
        """The conductor has this batch."""
        with self._lock:
            for result in batch.results:
                if self._results.get(result.id) is result:
                    del self._results[result.id]
            for progress in batch.progress:
                if self._progress.get(progress.id) is progress:
                    del self._progress[progress.id]
            if batch.accounts is not None:
                self._sent_accounts = batch.accounts


class Reporter:
    """Says what is."""

    def __init__(self, directory: AgentDirectory, engine: Engine) -> None:
        self._directory = directory
        self._engine = engine
        self._measured_at = -MEASURE_EVERY
        self._measured_in = engine.state
        self._volume: tuple[float, float | None] = (0.0, None)

    def report(self, accounts: Accounts | None = None) -> Report:
        used, total = self._measure()
        return Report(
            engine=self._engine.state,
            engine_version=self._engine.version,
            volume_used=used,
            volume_total=total,
            accounts=accounts,
            error=self._engine.error,
        )

    def _measure(self) -> tuple[float, float | None]:
        """GiB used and in all: of the volume, or of the files where there is no volume."""
        now, state = time.monotonic(), self._engine.state
        if now - self._measured_at >= MEASURE_EVERY or state != self._measured_in:
            self._measured_at, self._measured_in = now, state
            self._volume = usage_of(self._directory.spec.data, beside=self._directory.path)
        return self._volume


def usage_of(data: Path, *, beside: Path) -> tuple[float, float | None]:
    """GiB used and in all. A directory on the file system of its parent is no volume: its
    files are counted, and there is no limit to report."""
    try:
        if data.stat().st_dev == beside.stat().st_dev:
            return sum(_blocks_below(data)) * 512 / GIB, None
        seen = os.statvfs(data)
    except FileNotFoundError:
        return 0.0, None
    used = (seen.f_blocks - seen.f_bfree) * seen.f_frsize
    # Without what is kept for the superuser: the engine cannot write there.
    return used / GIB, (used + seen.f_bavail * seen.f_frsize) / GIB


def _blocks_below(directory: Path) -> Iterator[int]:
    """Files come and go while a server runs."""
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                yield (Path(folder) / name).lstat().st_blocks
            except FileNotFoundError:
                continue
