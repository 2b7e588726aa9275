"""Locks between threads and processes that the kernel gives back when their holder dies."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trove.providers.local.layout import make_folder

FLOCK = struct.Struct("hhqqi4x")
"""struct flock: type, whence, start, length, pid."""


@contextmanager
def hold(folder: Path, name: str) -> Iterator[None]:
    """Only one holder of this name at a time on this machine; waits for the other."""
    path = make_folder(folder, 0o700) / name
    # Of the open file, not of the process as with lockf: so threads keep each other out too.
    descriptor = _locked(path)
    try:
        yield
    finally:
        # Still locked: unlinked later, it could be a file that another has just locked.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path) -> int:
    """An open file that is locked, and is the one of this path (the last holder unlinks its)."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def take_life(path: Path) -> int | None:
    """Lock the file for whoever inherits the descriptor; None while somebody has it.

    The lock belongs to the open file, not to a process: it goes when the last process that has
    inherited the descriptor ends. Nothing can be written through the descriptor.
    """
    taken = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Not lockf, which is never inherited and goes with any descriptor of the file; not flock,
        # which can not be asked about without taking it.
        fcntl.fcntl(taken, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        # Then a share of it, which is all that a descriptor without the right to write can have:
        # given over without a gap, and as good as the whole against who wants the whole first.
        fcntl.fcntl(taken, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_RDLCK))
        return _shared(path)
    except BlockingIOError:
        return None
    finally:
        os.close(taken)


def _shared(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_RDLCK))
    return descriptor


def has_life(path: Path) -> bool:
    """Whether somebody has the lock; asking never disturbs who takes it at that moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
    finally:
        os.close(descriptor)
    return bool(FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _whole_file(how: int) -> bytes:
    # The pid must be 0, or the kernel says EINVAL (fcntl_locking(2), open file description locks).
    return FLOCK.pack(how, os.SEEK_SET, 0, 0, 0)
