"""An engine as a process of its own: detached from the agent, known by pid file, program and place.

Law: a pid counts only if that process runs the engine's program in the engine's directory, for
pid files outlive crashes and pids are given again.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from trove.datastores.output import excerpt
from trove.errors import Crashed, Failed
from trove.files import sync
from trove.processes import LONGEST_NAME, Process, all_processes

log = logging.getLogger(__name__)

ROOT = Path("/")
POLL_SECONDS = 0.01
PATIENCE = 300.0
"""Seconds for a program of an engine that is run to its end; a slow machine needs a tenth."""
KEPT = 1 << 20
"""Bytes that are left of a log that is cut."""
LEAST_FREE = 1 << 20
"""Bytes."""
DISK_FULL = "the volume is full: delete what is not needed or make it larger, and try again"
SHELL_SECONDS = 60
KILL_SECONDS = 5
"""For a killed process to go; one that waits for a disk that hangs does not."""
SYNC_SECONDS = 600.0
"""Others' writes may have to reach the disk first."""
# The engine becomes a child of pid 1: it outlives the agent, and pid 1 reaps it.
DETACH = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


@contextmanager
def failures_of(title: str) -> Iterator[None]:
    """Errors of the operating system, such as a full disk, become Failed with this title."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"{title}: {message_of(error)}") from error


def message_of(error: Exception) -> str:
    """The error, and on a full disk what to do."""
    is_full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    return f"{error}; {DISK_FULL}" if is_full else str(error)


def is_disk_full(directory: Path) -> bool:
    """Whether no more can be written to the disk of this directory; False if it is not there."""
    with suppress(OSError):
        return shutil.disk_usage(directory).free < LEAST_FREE
    return False


def refuse_root(title: str) -> None:
    """Raises Failed for the superuser of the machine."""
    if os.geteuid() == 0:
        raise Failed(f"{title} must not run as root; run the agent as an unprivileged user")


def program_of(binaries: Path, name: str) -> Path:
    """A program of the engine; raises Failed when it is missing."""
    path = binaries / name
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is missing or not executable; install the engine's server package")
    return path


def run(
    command: Sequence[str],
    what: str,
    *,
    feed: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = PATIENCE,
) -> str:
    """Run a program of the engine to its end, and all that it said.

    Raises Failed with the first and last lines of it (Crashed if a signal ended it), or when it
    takes longer than these seconds: then it is killed, and what it has started too.
    """
    child = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        process_group=0,
    )
    try:
        said = "".join(child.communicate(feed, timeout=seconds)).strip()
    except subprocess.TimeoutExpired:
        late = f"{what} did not end within {seconds / 60:g} minutes"
        raise Failed(f"{late}; see whether the disk hangs or the machine is overloaded") from None
    finally:
        _kill(child)
    if child.returncode:
        raise _failure(what, child.returncode, said)
    return said


def start_detached(command: Sequence[str], log: Path, directory: Path = ROOT) -> int:
    """Start a program there in a session of its own, its output appended to a file; its pid."""
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", DETACH, "sh", str(log), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        start_new_session=True,
        cwd=directory,
        timeout=SHELL_SECONDS,
    )
    return int(done.stdout)


def running(pid_file: Path, program: str, directory: Path) -> int | None:
    """The pid that a pid file names, if that is the engine of this directory."""
    try:
        # PostgreSQL's has more lines. Either may be empty: it is made before it is written.
        pid = int(pid_file.read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if is_engine(pid, program, directory) else None


def is_engine(pid: int, program: str, directory: Path) -> bool:
    """Whether this process is alive, runs this program, and works in this directory."""
    process = Process(pid)
    try:
        return (
            process.is_alive()
            and process.program() == program
            # Engines change into their data directory; those of other instances are elsewhere.
            and process.working_directory() == directory.resolve()
        )
    except OSError:
        return False


def engine_processes(program: str, directory: Path) -> list[int]:
    """Every process of the engine of this directory, orphans of a killed one included."""
    return [p.pid for p in all_processes() if is_engine(p.pid, program, directory)]


def process_of_another_user(program: str, configuration: Path) -> int | None:
    """A process of another user that runs this program with this configuration.

    Such a process hides its directory, not its name and command line.
    """
    for process in all_processes():
        if _is_hidden(process) and _was_called(process, program, configuration):
            return process.pid
    return None


def exists(pid: int) -> bool:
    """Whether a process is there and is not a zombie."""
    return Process(pid).is_alive()


def end(pid: int, signals: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal, and wait so many seconds, until the process has gone.

    A stopped process is continued, or it would never handle the signal. Raises Failed if it
    stays, or belongs to another user.
    """
    for number, seconds in signals:
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise Failed(f"process {pid} belongs to another user; end it as that user") from error
        if wait_until(lambda: not exists(pid), seconds):
            return
    raise Failed(f"process {pid} does not end; see whether its disk hangs")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll the condition; False if the time is up first."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def trim(path: Path, longest: int) -> None:
    """Keep the end of a log of more bytes than that, which may be open for appending elsewhere."""
    with suppress(OSError):
        if path.stat().st_size <= longest:
            return
        with path.open("r+b") as file:
            file.seek(-KEPT, os.SEEK_END)
            # Cut in its place: the engine has the file open for appending, and would go on writing
            # into one that was renamed.
            end = file.read(KEPT)
            file.truncate(0)
        with path.open("ab") as file:  # a full disk has space by now
            file.write(end.partition(b"\n")[2])


def newest_change(paths: Iterable[Path]) -> float | None:
    """When the contents of these files or directories changed last; None if none is there."""
    times = []
    for path in paths:
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times, default=None)


def remove_tree(path: Path) -> None:
    """Succeeds if it is absent."""
    if path.exists():
        shutil.rmtree(path)


def sync_tree(path: Path) -> None:
    """Bring a whole directory onto the disk, so that a marker may say that it is complete.

    One syncfs of the volume is many times faster than an fsync of each of a thousand files.
    """
    program = shutil.which("sync")
    if program:
        run([program, "-f", str(path)], f"writing {path} to the disk", seconds=SYNC_SECONDS)
        return
    for folder, _, files in os.walk(path):
        for name in (*files, "."):
            sync(Path(folder) / name)


def _failure(what: str, code: int, said: str) -> Failed:
    lines = excerpt(said.splitlines())
    # The second when it was a child of the program.
    if code >= 0 and "terminated by signal" not in said:
        return Failed(f"{what} failed with exit code {code}:\n{lines}")
    # The stack, which no message has space for, is what the engine's authors need.
    log.error("%s crashed with exit code %d:\n%s", what, code, said)
    why = f"was ended by signal {-code}" if code < 0 else "crashed"
    return Crashed(f"{what} {why}:\n{lines}")


def _kill(child: subprocess.Popen[str]) -> None:
    """Kill it and its children, unless it has ended; never wait for long."""
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        child.wait(KILL_SECONDS)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _is_hidden(process: Process) -> bool:
    try:
        # The kernel shows it to those who may trace the process: its user, and root (proc(5)).
        process.program()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _was_called(process: Process, program: str, configuration: Path) -> bool:
    path = str(configuration).encode()
    try:
        name, words = process.name(), process.arguments()
    except OSError:
        return False
    return name == program[:LONGEST_NAME] and any(
        word == path or word.endswith(b"=" + path) for word in words
    )
