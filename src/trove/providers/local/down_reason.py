"""Why a server or its agent is down, as far as its launch and then its agent have logged it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from trove.providers.local.layout import ServerFiles
from trove.providers.local.records import Owner

LINES = 3
LONGEST = 500
"""Characters."""
END = 4096
"""Bytes of a log's end that are read."""
SUPERVISE = "supervise: "
"""What a line of the supervisor begins with, which follows those of an agent that keeps ending."""
PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def down_reason(files: ServerFiles, logs: Path, owner: Owner | None) -> str:
    """The end of what was logged; the logs belong to this owner, by default to the caller."""
    uid = owner.uid if owner else os.getuid()
    said = "; ".join(_end_of_agent_log(logs, uid)[-LINES:])[-LONGEST:]
    return _last_line(files.log) or said or "none of its processes runs"


def agent_error(logs: Path, owner: Owner | None) -> str:
    """The last words of an agent that ends soon after each start; empty for any other."""
    lines = _end_of_agent_log(logs, owner.uid if owner else os.getuid())
    if not lines or not lines[-1].startswith(SUPERVISE):
        return ""
    said = [line for line in lines if not line.startswith(SUPERVISE)]
    # Not the traceback, which shows the paths of this machine.
    return (said or lines)[-1].strip()[-LONGEST:]


def _last_line(launch: Path) -> str:
    """Of the launch, which logs only what keeps the agent from being started."""
    try:
        lines = launch.read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1][-LONGEST:] if lines else ""


def _end_of_agent_log(logs: Path, uid: int) -> list[str]:
    with (
        contextlib.suppress(OSError),
        _opened(logs, os.O_DIRECTORY) as folder,
        # Not blocking, for the tenant may have put a pipe there.
        _opened("agent.log", os.O_NONBLOCK, folder) as log,
    ):
        return _end_of(log, uid)
    return []


def _end_of(log: int, uid: int) -> list[str]:
    status = os.fstat(log)
    # The tenant may have put another's file there, by a link that is none.
    if not stat.S_ISREG(status.st_mode) or status.st_uid != uid:
        return []
    text = os.pread(log, END, max(0, status.st_size - END)).decode(errors="replace")
    return text.strip().splitlines()


@contextlib.contextmanager
def _opened(path: Path | str, flags: int, folder: int | None = None) -> Iterator[int]:
    handle = os.open(path, PLAIN | flags, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)
