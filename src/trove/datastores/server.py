"""An engine's server from its data directory to its end: what is the same for every engine.

A driver has one of these; a `Program` has what is peculiar to the engine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from trove.datastores import process
from trove.datastores.base import Log
from trove.datastores.output import excerpt_of
from trove.errors import Crashed, Failed
from trove.files import write_private
from trove.protocol.engine_spec import EngineSpec

log = logging.getLogger(__name__)

START_SECONDS = 300.0
"""Recovery after a crash may take long; a dead process is noticed at once."""
LEAVE_SECONDS = 2.0
"""The process that writes an engine's log is the last to go."""
LONGEST_LOG = 8 << 20
"""Bytes: logs lie on the tenant's volume, and tenants can make an engine talkative."""


@dataclass(frozen=True)
class Program:
    """What is peculiar to the process of an engine."""

    title: str
    name: str
    """Of the program, as the engine's process runs it."""
    directory: str
    """The engine's own, below the data volume; the process works in it."""
    configuration: Path
    """A word of the command line is this path, or ends with `=` and this path."""
    pid_file: Path
    endings: Sequence[tuple[Signals, float]]
    """Signals that end it, the gentlest first, and the seconds that each is given."""
    logs: Sequence[Log] = ()
    stale: Sequence[Path] = ()
    """Sockets and locks that a crash leaves behind and that hinder a start."""
    executable: str = ""
    """The file of the program, if `name` is a link to a file with another name."""
    needs_certificate: bool = True
    """Whether it must not be started without certificate and key."""
    is_alone: bool = False
    """One process without children: it is known before its pid file is written."""


class Server:
    """The process of one engine, the directory that it works in, and its logs."""

    def __init__(self, spec: EngineSpec, program: Program) -> None:
        self.spec = spec
        self.program = program
        self.directory = spec.data / program.directory
        self.executable = program.executable or program.name
        self._complete = spec.data / f"{program.directory}.complete"
        self._output = spec.logs / "start.log"

    def is_prepared(self) -> bool:
        return self._complete.exists()

    def prepare(self, make: Callable[[], None]) -> None:
        """Make the data directory and mark it on disk as complete, unless it is."""
        process.refuse_root(self.program.title)
        if self.is_prepared():
            return
        with process.failures_of(self.program.title):
            # First the children of an agent that was killed here: they would go on writing.
            self._end_orphans()
            self._make(make)
            process.sync_tree(self.directory)
            # Last, and once all of it is on the disk: until then the next attempt starts over.
            write_private(self._complete, "")

    def configure(self, files: dict[str, str]) -> None:
        """Write these files of the engine's user, by name, into its `config`."""
        with process.failures_of(self.program.title):
            for name, text in files.items():
                write_private(self.spec.config / name, text)

    def configured(self, name: str) -> str:
        """What `configure` has written into this file, for engines that take only arguments.

        Raises Failed: where another user's process runs, because of that, as `start` does.
        """
        self._refuse_other_user()
        with process.failures_of(f"{self.program.title} is not configured"):
            return (self.spec.config / name).read_text()

    def start(self, arguments: Sequence[str], is_ready: Callable[[], bool]) -> None:
        """Adopt it or launch it, and return when it is ready; Failed with what it said."""
        process.refuse_root(self.program.title)
        self._refuse_other_user()
        with process.failures_of(self.program.title):
            # What they have now is of an earlier run. `start.log` is truncated by each launch.
            known = {path: path.stat().st_size for path in self._logs() if path != self._output}
            pid = self.pid() or self._launch(arguments)
            process.wait_until(lambda: is_ready() or not process.exists(pid), START_SECONDS)
            if not (is_ready() and process.exists(pid)):
                process.wait_until(lambda: not self._processes(), LEAVE_SECONDS)
                said = excerpt_of(self._logs(), known)
                why = f"; {process.DISK_FULL}" if process.is_disk_full(self.spec.data) else ""
                raise Failed(f"{self.program.title} does not come up{why}:\n{said}")

    def stop(self) -> None:
        """Return when neither it nor a process of its making is left."""
        self._refuse_other_user()
        pid = self.pid()
        if pid:
            process.end(pid, self.program.endings)
        self._end_orphans()
        # One that was killed, or could not listen, leaves it.
        self.program.pid_file.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The server's process, if it is there."""
        pid = process.running(self.program.pid_file, self.executable, self.directory)
        # A child has the same program and directory, and is not to be taken for the server.
        if pid or not self.program.is_alone:
            return pid
        return next(iter(self._processes()), None)

    def trim_logs(self) -> None:
        """Cut off the beginning of logs that have grown long, even while the engine writes them."""
        for path in self._logs():
            process.trim(path, LONGEST_LOG)

    def _make(self, make: Callable[[], None]) -> None:
        """From an empty directory; once more if a program of the engine crashes."""
        process.remove_tree(self.directory)
        try:
            make()
        except Crashed as error:
            log.warning("%s: again, from an empty directory: %s", self.program.title, error)
            process.remove_tree(self.directory)
            make()

    def _launch(self, arguments: Sequence[str]) -> int:
        if not self.is_prepared():
            raise Failed(f"{self.directory} is not complete; prepare it first")
        path = process.program_of(self.spec.binaries, self.program.name)
        if self.program.needs_certificate:
            self._check_certificate()
        # Before the pid file: engines find children that still use their memory by it.
        self._end_orphans()
        # Pid files outlive a crash, and their pids may be other processes' by now.
        for stale in (self.program.pid_file, *self.program.stale):
            stale.unlink(missing_ok=True)
        self._output.write_bytes(b"")
        # Most engines change into it themselves; for the others, it is how they are recognised.
        return process.start_detached([str(path), *arguments], self._output, self.directory)

    def _end_orphans(self) -> None:
        """Children outlive a killed server for some time, and hold its memory."""
        for pid in self._processes():
            # Not the gentlest: without their parent, children cannot shut down in good order.
            process.end(pid, self.program.endings[-2:])

    def _processes(self) -> list[int]:
        return process.engine_processes(self.executable, self.directory)

    def _refuse_other_user(self) -> None:
        """Raises Failed when another user runs it, which this user neither sees into nor ends."""
        pid = process.process_of_another_user(self.program.name, self.program.configuration)
        if pid:
            raise Failed(
                f"{self.program.title} runs as another user (process {pid}); "
                "run the agent as the user that started it, or end that process"
            )

    def _check_certificate(self) -> None:
        for path in (self.spec.certificate, self.spec.private_key):
            if not path.is_file():
                raise Failed(f"{path} is missing; TLS is not optional")
        # Engines refuse a key that its group or others may read.
        self.spec.private_key.chmod(0o600)

    def _logs(self) -> list[Path]:
        """Every one, with what was said before the engine opened its own."""
        found = (path for log in self.program.logs for path in self.spec.logs.glob(log.files))
        return [self._output, *sorted(found)]
