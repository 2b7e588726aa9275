"""Private files that survive a crash at any moment: each is whole, the old version or the new.

Law: a file is private from its first byte on, and its content is on the disk before its name is.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
TRAVERSABLE = 0o711
"""A directory that other users may pass through, but not list."""
PRIVATE = 0o700
"""A directory that only its owner may enter."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def write_private(
    path: Path,
    content: bytes | str,
    *,
    owner: tuple[int, int] | None = None,
    durable: bool = True,
) -> None:
    """Replace the file by one of mode 0600 with this content, atomically.

    `owner` is a user and a group id; then the directory may be a tenant's, and must not be a
    symbolic link. What is not `durable` may be lost or empty after a power failure.
    """
    # With the directory open, no tenant can put another one in its place between two calls.
    flags = os.O_RDONLY | os.O_DIRECTORY | (os.O_NOFOLLOW if owner else 0)
    with _opened(path.parent, flags) as directory:
        new = _write_beside(directory, path.name, content, owner, durable)
        try:
            os.rename(new, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(new, dir_fd=directory)
            raise
        if durable:
            os.fsync(directory)


def ensure_directory(path: Path, mode: int = TRAVERSABLE) -> Path:
    """The directory, created with exactly this mode whatever the umask unless it exists.

    Missing parents become traversable. An existing one keeps its mode, except that it is given
    `mode` when every user may write there. Raises NotADirectoryError.
    """
    missing = [each for each in (path, *path.parents) if not os.path.lexists(each)]
    for each in reversed(missing):
        _make_directory(each, mode if each is path else TRAVERSABLE)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    # Of a release, or a start with umask 0000, that left it open to everyone.
    if found.st_mode & stat.S_IWOTH and found.st_uid == os.geteuid():
        path.chmod(mode)
    return path


def _make_directory(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode)
    except FileExistsError:  # another process was faster, and sets the mode
        return
    # Again: mkdir leaves out the bits of the umask.
    path.chmod(mode)


def private(path: str, flags: int) -> int:
    """An opener (of `open`): a file that it creates has mode 0600 from the start."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def restrict_umask() -> None:
    """Let this process create nothing that other users may write, unless it says so itself."""
    os.umask(os.umask(OTHERS_WRITE) | OTHERS_WRITE)


def ensure_private(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of the file, which is created with what `make` returns unless it exists.

    Of several processes that create it at once one succeeds, and all return its content.
    """
    if not path.exists():
        ensure_directory(path.parent, PRIVATE)
        create_private(path, make())
    return path.read_bytes()


def create_private(path: Path, content: bytes | str, *, durable: bool = True) -> bool:
    """Create the file, atomically and with mode 0600; False if it exists."""
    with _opened(path.parent, os.O_RDONLY | os.O_DIRECTORY) as directory:
        new = _write_beside(directory, path.name, content, None, durable)
        try:
            # A link, unlike a rename, never replaces what another process has created meanwhile.
            os.link(new, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            return False
        finally:
            os.unlink(new, dir_fd=directory)
        if durable:
            os.fsync(directory)
    return True


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a directory, onto the disk."""
    with _opened(path, os.O_RDONLY) as handle:
        os.fsync(handle)


def _write_beside(
    directory: int, name: str, content: bytes | str, owner: tuple[int, int] | None, durable: bool
) -> str:
    # Unpredictable, for a tenant could create a name that can be guessed and block every write;
    # and two writers of one file must not write into each other's.
    new = f".{name}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(new, FLAGS, 0o600, dir_fd=directory), "wb") as file:
        try:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            # A rename is no barrier: after a power failure the new name could have no content.
            if durable:
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(new, dir_fd=directory)
            raise
    return new


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)
