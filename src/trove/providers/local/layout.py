"""Where everything of an instance is found: paths that follow from its derived name alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import zlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from trove.errors import Invalid, Unavailable
from trove.files import TRAVERSABLE, ensure_directory
from trove.locks import exclusive
from trove.providers.local import programs

# No separator, no `..`, nothing hidden: names become parts of paths that root writes to.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
LONGEST_RUN = 80
"""Bytes; a socket path has at most 107, and the socket's own name comes on top."""


@dataclass(frozen=True)
class ServerFiles:
    """What one server has, save its volume."""

    directory: Path

    @property
    def record(self) -> Path:
        """What the provider remembers of the server; only the provider reads it."""
        return self.directory / "server.json"

    @property
    def alive(self) -> Path:
        """Locked for as long as the server lives, by its own first process."""
        return self.directory / "alive"

    @property
    def log(self) -> Path:
        """What was said while it was launched."""
        return self.directory / "launch.log"

    @property
    def etc(self) -> Path:
        return self.directory / "etc"

    @property
    def agent(self) -> Path:
        """The agent's own directory."""
        return self.directory / "agent"

    @property
    def agent_image(self) -> Path:
        """The file that limits the agent's own directory."""
        return self.directory / "agent.img"

    @property
    def config(self) -> Path:
        return self.agent / "config"

    @property
    def run(self) -> Path:
        """Sockets; elsewhere when the path would be too long for one."""
        near = self.directory / "run"
        if len(str(near).encode()) <= LONGEST_RUN:
            return near
        return Path(tempfile.gettempdir()) / f"trove-{zlib.crc32(str(near).encode()):08x}"


@dataclass(frozen=True)
class Layout:
    """Everything below one directory."""

    directory: Path

    @property
    def locks(self) -> Path:
        return self.directory / "locks"

    @property
    def addresses(self) -> Path:
        return self.directory / "addresses"

    @property
    def uids(self) -> Path:
        return self.directory / "uids"

    @property
    def first_uid(self) -> Path:
        """Where user ids begin, as chosen at the first start."""
        return self.directory / "first-uid"

    @property
    def volumes(self) -> Path:
        return self.directory / "volumes"

    @property
    def seeds(self) -> Path:
        return self.directory / "seeds"

    @property
    def servers(self) -> Path:
        return self.directory / "servers"

    def server(self, name: str) -> ServerFiles:
        return ServerFiles(self.servers / checked(name))

    def volume(self, name: str) -> Path:
        """Where the volume is seen: a mount point, or a plain directory."""
        return self.volumes / checked(name)

    def server_names(self) -> set[str]:
        """Those that have a server here, complete or not."""
        return _names_in(self.servers)

    def volume_names(self) -> set[str]:
        """Those that have a volume here, complete or not."""
        return _names_in(self.volumes)

    def image(self, name: str) -> Path:
        """The file that a limited volume lives in."""
        return self.volumes / f"{checked(name)}.img"


def _names_in(folder: Path) -> set[str]:
    found = [path.name for path in folder.glob("*")]
    return {re.sub(r"(\.img|\.img\.new|\.gone)$", "", name) for name in found}


def checked(name: str) -> str:
    """The name, if it can be part of a path; raises Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid(f"{name!r} cannot name anything on this machine.", field="name")
    return name


def named_lock(folder: Path, name: str) -> AbstractContextManager[None]:
    """Only one holder of this name at a time on this machine; waits for the other."""
    return exclusive(make_folder(folder, 0o700) / name)


def make_folder(path: Path, mode: int = TRAVERSABLE) -> Path:
    """A directory that others may pass through, but not list."""
    return ensure_directory(path, mode)


def remove_folder(folder: Path) -> None:
    """In one step for everybody else, so that no half of it is ever found; raises Unavailable."""
    gone = folder.with_name(f"{folder.name}.gone")
    remove_tree(gone)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
    remove_tree(gone)
    if gone.exists():
        raise Unavailable(f"{gone} cannot be removed.")


def remove_tree(path: Path) -> None:
    """As much of it as can be removed, links not followed.

    Whose files they are may have nested directories deeper than Python can follow; rm can.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        programs.run("rm", "-rf", "--", str(path))
