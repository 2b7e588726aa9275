"""Locks between threads and processes that the kernel releases when their holder ends.

Three kinds, for the kernel ties each to something else: `exclusive` to an open file, so that
threads exclude each other too; `acquire_inherited` to an open file that child processes inherit;
`process_lock` to the process, whose id the kernel then shows.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
FLOCK = struct.Struct("hhqqi4x")
"""struct flock: type, whence, start, length, pid."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of this path, alone on this machine; waits for another holder."""
    descriptor = _locked(path)
    try:
        yield
    finally:
        # While it is locked: unlinked later, it could be a file that another has just locked.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path) -> int:
    """An open file that is locked, and is the one of this path (each holder unlinks its file)."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def acquire_inherited(path: Path) -> int | None:
    """Lock the file for every process that inherits the descriptor; None while it is locked.

    The lock is released when the last process that has inherited the descriptor ends. Nothing can
    be written through the descriptor.
    """
    acquired = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Not lockf, which is never inherited and is released with any descriptor of the file; not
        # flock, whose state cannot be queried without acquiring it.
        fcntl.fcntl(acquired, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        # Then a shared lock, which is all that a read-only descriptor can have: converted without
        # a gap, and it excludes all who begin with the exclusive one.
        fcntl.fcntl(acquired, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_RDLCK))
        return _shared(path)
    except BlockingIOError:
        return None
    finally:
        os.close(acquired)


def _shared(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_RDLCK))
    return descriptor


def is_inherited_lock_held(path: Path) -> bool:
    """Whether `acquire_inherited` would return None; does not disturb who acquires it now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
    finally:
        os.close(descriptor)
    return bool(FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


@contextmanager
def process_lock(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of this path as a process; raises BlockingIOError while another has it.

    The open file is for what people may read there. Only its owner may open it: to read a file
    is enough for a lock that keeps others from theirs.
    """
    # Not "w", which would truncate the file of the holder before the lock is acquired.
    with os.fdopen(os.open(path, FLAGS, 0o600), "a+") as file:
        _lock_as_process(file.fileno())
        yield file


def lock_for_life(path: Path) -> None:
    """Hold the lock of this path until the process has ended; raises BlockingIOError.

    Unlike `process_lock` it is held while the interpreter shuts down too: who finds it free knows
    that the process is gone.
    """
    descriptor = os.open(path, FLAGS, 0o600)  # closed by the kernel
    try:
        _lock_as_process(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        raise


def _lock_as_process(descriptor: int) -> None:
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def process_holding(path: Path) -> int | None:
    """The id of the process that has the lock of this path, if one has it.

    0 when the kernel does not name it: it is in another PID namespace, or its lock is an open
    file's. Whose process it is, the caller has to check before it is sent a signal.
    """
    # F_GETLK shows which lock would conflict without acquiring anything: to try and acquire it
    # would make a process fail that starts just now.
    try:
        with path.open("rb") as file:
            answer = FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, _whole_file(fcntl.F_WRLCK)))
    except FileNotFoundError:
        return None
    # -1 for an open file's lock, and to kill(2) that means every process.
    return max(0, int(answer[-1])) if answer[0] != fcntl.F_UNLCK else None


def _whole_file(how: int) -> bytes:
    # The pid must be 0, or the kernel returns EINVAL (fcntl_locking(2), open file description
    # locks).
    return FLOCK.pack(how, os.SEEK_SET, 0, 0, 0)
