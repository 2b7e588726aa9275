"""The process of a long task, which outlives the agent that started it.

Law: the process holds the lock of its directory while it lives, so that the kernel names it to
whichever agent is there; a pid on disk could meanwhile be another process. Its arguments come
through its standard input: they may be secrets.

Read `child.py` for what the process does.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from trove.errors import Failed
from trove.guestagent.files import read_json
from trove.guestagent.state import AgentDirectory
from trove.locks import process_holding
from trove.protocol import TaskProgress, TaskRequest, TaskResult

log = logging.getLogger(__name__)

UNTIL_KILLED = 3.0
"""Seconds that a withdrawn process may take to end by itself: cancelling takes 5 s in all."""
PAUSE = 0.05
LONGEST_TAIL = 2000


@dataclass
class LongTask:
    """One long task, by its files; the process is of this agent or of an earlier one."""

    directory: AgentDirectory
    id: str
    started: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def path(self) -> Path:
        return self.directory.long_tasks / self.id

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def progress_file(self) -> Path:
        return self.path / "progress.json"

    @property
    def result_file(self) -> Path:
        return self.path / "result.json"

    def start(self, request: TaskRequest) -> None:
        """Start the process in a session of its own, so that no signal to the agent reaches it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "trove.guestagent.child"]
        with (self.path / "output").open("wb") as output:
            self.started = subprocess.Popen(  # noqa: S603 - our own module and two words of ours
                [*command, str(self.directory.path), self.id],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
        # Only when all has arrived does the process begin: an agent that dies while it writes
        # leaves a message that cannot be decoded.
        assert self.started.stdin is not None
        with suppress(BrokenPipeError), self.started.stdin as stdin:
            stdin.write(msgspec.json.encode(request))

    def is_alive(self) -> bool:
        # Our own child has no lock before its interpreter runs; an earlier agent's has no Popen.
        is_ours = self.started is not None and self.started.poll() is None
        return is_ours or process_holding(self.lock) is not None

    def progress(self) -> TaskProgress | None:
        with suppress(FileNotFoundError, Failed):
            return read_json(self.progress_file, TaskProgress)
        return None

    def result(self) -> TaskResult | None:
        """None while there is none, and for one that a power failure left incomplete."""
        with suppress(FileNotFoundError, Failed):
            return read_json(self.result_file, TaskResult)
        return None

    def end(self, patience: float = UNTIL_KILLED) -> None:
        """End the process with all that it started; succeeds if absent."""
        pid = self._pid()
        if pid is None:
            return
        log.info("ending the process %d of task %s", pid, self.id)
        _signal_group(pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(PAUSE)
        # Of its programs, some may have ignored the first signal, and outlived it.
        _signal_group(pid, signal.SIGKILL)
        while self.is_alive():
            time.sleep(PAUSE)

    def tail(self) -> str:
        """The end of what the process wrote."""
        try:
            written = (self.path / "output").read_bytes()
        except FileNotFoundError:
            return ""
        return written[-LONGEST_TAIL:].decode(errors="replace").strip()

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _pid(self) -> int | None:
        if self.started is not None and self.started.poll() is None:
            return self.started.pid
        return process_holding(self.lock) or None


def left_by_earlier_agents(directory: AgentDirectory) -> Iterator[LongTask]:
    """Every long task that has files."""
    if directory.long_tasks.exists():
        for path in sorted(directory.long_tasks.iterdir()):
            yield LongTask(directory, path.name)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
