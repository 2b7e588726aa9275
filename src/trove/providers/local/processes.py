"""Finding and ending every process of a server, whatever has become of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from trove.errors import Unavailable
from trove.processes import PROC, Process, all_processes

MARK = "TROVE_SERVER"
"""The variable in the environment of a server's processes that holds its name."""
LAST_CHANCE = 10.0
"""Seconds in which a process must be gone after SIGKILL."""
LOOK_EVERY = 0.01
SIGNAL_EVERY = 0.5

Find = Callable[[], set[int]]


def end(find: Find, patience: float) -> None:
    """Terminate all, and kill them after `patience` seconds; raises Unavailable.

    The signal is repeated: a process that has just started may not handle it yet.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        _signal(find, signal.SIGTERM)
        if _are_gone(find, min(SIGNAL_EVERY, patience)):
            return
    _kill(find)


def _kill(find: Find) -> None:
    deadline = time.monotonic() + LAST_CHANCE
    # Again until nothing is found: a process may fork between the listing and the signal.
    # cgroup.kill would take all at once, but only in version 2 and from Linux 5.14 on.
    while found := find():
        if time.monotonic() > deadline:
            raise Unavailable(f"The processes {sorted(found)} do not end.")
        _signal(find, signal.SIGKILL)
        _are_gone(find, 10 * LOOK_EVERY)


def _are_gone(find: Find, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while find():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True


def _signal(find: Find, number: signal.Signals) -> None:
    """Signal those that are found again once their number cannot pass to another process."""
    handles = {}
    for process in find():
        with contextlib.suppress(OSError):
            handles[process] = os.pidfd_open(process)
    # What is found now still is the process that the handle was opened for.
    still = find() if handles else set()
    for process, handle in handles.items():
        with contextlib.suppress(OSError):
            if process in still:
                signal.pidfd_send_signal(handle, number)
        os.close(handle)


def marked(name: str, folders: Iterable[Path], uid: int | None, proc: Path = PROC) -> set[int]:
    """Processes that bear the server's mark, work in its folders, or descend from such ones.

    With a number of the server's own, its processes are also known by that. For machines where
    no control group holds them together; it reads all of /proc.
    """
    # The mark alone would not do: PostgreSQL writes its title over its environment (ps_status.c).
    inside = tuple(f"{folder}/" for folder in folders)
    mark = f"{MARK}={name}".encode()
    parents: dict[int, int] = {}
    found: set[int] = set()
    # Without zombies: only its parent can remove one, so waiting for it would be in vain.
    for process in filter(Process.is_alive, all_processes(proc)):
        with contextlib.suppress(OSError):
            parents[process.pid] = process.parent()
            if _owner_is(process, uid) or _is_inside(process, inside) or _has_mark(process, mark):
                found.add(process.pid)
    return _with_descendants(found, parents) - {os.getpid()}


def _owner_is(process: Process, uid: int | None) -> bool:
    return uid is not None and process.user() == uid


def _is_inside(process: Process, folders: tuple[str, ...]) -> bool:
    try:
        return f"{process.working_directory()}/".startswith(folders)
    except OSError:
        return False


def _has_mark(process: Process, mark: bytes) -> bool:
    try:
        return mark in process.environment()
    except OSError:
        return False


def _with_descendants(found: set[int], parents: dict[int, int]) -> set[int]:
    while True:
        more = {p for p, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more
