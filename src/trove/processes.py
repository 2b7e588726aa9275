"""The processes and mounts of this machine, as the kernel shows them in /proc (proc(5)).

Law: a process may end between any two looks; every method then raises OSError, unless it says
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
LONGEST_NAME = 15
"""Bytes that the kernel keeps of a program's name (TASK_COMM_LEN)."""


@dataclass(frozen=True)
class Process:
    """One process by its id."""

    pid: int
    proc: Path = PROC

    def is_alive(self) -> bool:
        """Whether it exists and is not a zombie; never raises OSError."""
        try:
            return self._state_and_parent()[0] not in "ZX"
        except OSError:
            return False

    def parent(self) -> int:
        return int(self._state_and_parent()[1])

    def user(self) -> int:
        return self._directory.stat().st_uid

    def name(self) -> str:
        """The first bytes of the program's name; other users may read it too."""
        return (self._directory / "comm").read_text().strip()

    def program(self) -> str:
        """The file name of its executable. Raises PermissionError for another user's process."""
        # The kernel adds this to a program that an upgrade has replaced while it runs.
        return (self._directory / "exe").readlink().name.removesuffix(" (deleted)")

    def working_directory(self) -> Path:
        """Raises PermissionError for another user's process."""
        return (self._directory / "cwd").readlink()

    def arguments(self) -> list[bytes]:
        return (self._directory / "cmdline").read_bytes().split(b"\0")

    def environment(self) -> list[bytes]:
        """Raises PermissionError for another user's process."""
        return (self._directory / "environ").read_bytes().split(b"\0")

    def has_socket(self, inode: str) -> bool:
        """Whether it has this socket open; never raises OSError."""
        wanted = f"socket:[{inode}]"
        try:
            return any(str(fd.readlink()) == wanted for fd in (self._directory / "fd").iterdir())
        except OSError:
            return False

    @property
    def _directory(self) -> Path:
        return self.proc / str(self.pid)

    def _state_and_parent(self) -> list[str]:
        # Fields 3 and 4; the second, a name in parentheses, may contain anything.
        return (self._directory / "stat").read_text().rpartition(")")[2].split()[:2]


def all_processes(proc: Path = PROC) -> Iterator[Process]:
    """Those that exist now, zombies included."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            yield Process(int(entry.name), proc)


def own_status(proc: Path = PROC) -> dict[str, str]:
    """The fields of this process's status, such as VmRSS and CapEff."""
    lines = (proc / "self" / "status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


class Mount(NamedTuple):
    """A file system at its mount point; `root` is what of it is shown there."""

    point: Path
    root: str
    kind: str
    options: list[str]
    """Of the file system, not of the mount."""


def mounts(proc: Path = PROC) -> Iterator[Mount]:
    """Those that this process sees, in the order of mounting."""
    for line in (proc / "self" / "mountinfo").read_text().splitlines():
        fields, _, others = line.partition(" - ")
        root, point = fields.split(" ")[3:5]
        kind, _, options = others.split(" ")[:3]
        yield Mount(Path(_unescaped(point)), _unescaped(root), kind, options.split(","))


def _unescaped(text: str) -> str:
    """Spaces and backslashes stand there as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
