"""What a server is furnished with: its directories, its agent's files, and the record of them.

Law: the agent's directory belongs to the server's user, who may put anything there; so files are
written beside their name, without following links, and then renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trove.files import write_private
from trove.providers.base import Flavor, ServerSpec
from trove.providers.local.layout import ServerFiles, remove_tree


@dataclass(frozen=True)
class Owner:
    """Whom a server's files belong to."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Record:
    """What the provider remembers of a server; it never reads this back from the tenant's files."""

    owner: Owner | None
    """None: the user who runs the provider."""
    place: Mapping[str, Any]
    """`place.json`, which the agent reads."""
    unenforced: tuple[str, ...]

    @property
    def flavor(self) -> Flavor:
        """The size alone."""
        return Flavor("", "", memory=self.place["memory"], vcpus=self.place["vcpus"])

    def resized(self, flavor: Flavor) -> Record:
        return replace(self, place={**self.place, "memory": flavor.memory, "vcpus": flavor.vcpus})


def place_of(
    spec: ServerSpec, files: ServerFiles, volume: Path, run: Path, seed: Path | None
) -> dict[str, Any]:
    """Where the agent finds everything, as seen from inside."""
    return {
        "manager": spec.manager,
        "version": spec.version,
        "binaries": spec.image or "",
        "data": str(volume),
        "run": str(run),
        "config": str(files.config),
        "logs": str(volume / "logs"),
        "address": spec.address,
        "port": spec.port,
        "memory": spec.flavor.memory,
        "vcpus": spec.flavor.vcpus,
        "seed": str(seed) if seed else None,
    }


def furnish(files: ServerFiles, volume: Path, record: Record, agent: Mapping[str, str]) -> None:
    """Make what is not there, and write what has changed."""
    own_folder(volume, record.owner)
    # The logs lie on the volume, whose size is limited and which survives the server.
    for folder in (files.agent, files.config, files.run, volume / "logs"):
        own_folder(folder, record.owner)
    for name, content in agent.items():
        _put(files.agent / Path(name).name, content, record.owner)
    write_record(files, record)


def write_record(files: ServerFiles, record: Record) -> None:
    """Remember it, and tell the agent its place; the record last, as it says that all is there."""
    _put(files.agent / "place.json", json.dumps(record.place), record.owner)
    _put(files.record, json.dumps(asdict(record)), None)


def read_record(files: ServerFiles) -> Record | None:
    """None if there is no whole server; its next start writes the record anew."""
    try:
        known = json.loads(files.record.read_text())
        owner = Owner(**known["owner"]) if known["owner"] else None
        return Record(owner, known["place"], tuple(known["unenforced"]))
    # No JSON, or another's: what a disk that lost its last writes has kept of it.
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None


def own_folder(path: Path, owner: Owner | None) -> None:
    """A directory that only its owner may enter."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    # From here on by its handle: the tenant may exchange the name for a link at any moment.
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if owner is not None:
            os.fchown(handle, owner.uid, owner.gid)
        # Again: mkdir leaves out the bits of the umask, and what was there may have others.
        os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def empty_folder(path: Path, owner: Owner | None) -> None:
    """Without what processes that are gone have left there."""
    remove_tree(path)
    own_folder(path, owner)


def _put(path: Path, content: str, owner: Owner | None) -> None:
    write_private(path, content, owner=(owner.uid, owner.gid) if owner else None)
