"""What a server starts with: its directories, its agent's files, and the record of them.

Law: the agent's directory belongs to the server's user, who may put anything there; so files are
written beside their name, without following links, and then renamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trove.files import write_private
from trove.protocol import seeds
from trove.protocol.engine_spec import EngineSpec, decode_path, encode_path
from trove.providers.base import Flavor, ServerSpec
from trove.providers.local.layout import ServerFiles, remove_tree


class Owner(msgspec.Struct, frozen=True):
    """The user and group that a server's files belong to."""

    uid: int
    gid: int


class Record(msgspec.Struct, frozen=True):
    """What the provider remembers of a server; it never reads this back from the tenant's files."""

    owner: Owner | None
    """None: the user who runs the provider."""
    # Named as in the records of the first release.
    spec: EngineSpec = msgspec.field(name="place")
    """`place.json`, which the agent reads."""
    unenforced: tuple[str, ...]
    seed: Path | None = None
    """A data directory that the engine may begin with a copy of."""

    @property
    def flavor(self) -> Flavor:
        """The size alone."""
        return Flavor("", "", memory=self.spec.memory, vcpus=self.spec.vcpus)

    def resized(self, flavor: Flavor) -> Record:
        spec = self.spec.resized(flavor.memory, flavor.vcpus)
        return msgspec.structs.replace(self, spec=spec)


def engine_spec_of(server: ServerSpec, files: ServerFiles, volume: Path, run: Path) -> EngineSpec:
    """Where the agent finds everything, as seen from inside."""
    return EngineSpec(
        manager=server.manager,
        version=server.version,
        binaries=Path(server.image or ""),
        data=volume,
        run=run,
        config=files.config,
        logs=volume / "logs",
        address=server.address,
        port=server.port,
        memory=server.flavor.memory,
        vcpus=server.flavor.vcpus,
        settings=dict(server.settings),
    )


def furnish(files: ServerFiles, volume: Path, record: Record, agent: Mapping[str, str]) -> None:
    """Make what is not there, and write what has changed."""
    own_folder(volume, record.owner)
    # The logs lie on the volume, whose size is limited and which survives the server.
    for folder in (files.agent, files.config, files.run, volume / "logs"):
        own_folder(folder, record.owner)
    for name, content in agent.items():
        _put(files.agent / Path(name).name, content, record.owner)
    if record.seed is not None:
        _put(files.config / seeds.FILE, str(record.seed), record.owner)
    write_record(files, record)


def write_record(files: ServerFiles, record: Record) -> None:
    """Write it for provider and agent; the provider's last, as it says that everything exists."""
    _put(files.agent / "place.json", record.spec.to_json(), record.owner)
    _put(files.record, msgspec.json.encode(record, enc_hook=encode_path), None)


def read_record(files: ServerFiles) -> Record | None:
    """None if there is no whole server; its next start writes the record again."""
    try:
        return msgspec.json.decode(files.record.read_bytes(), type=Record, dec_hook=decode_path)
    # No JSON, or other JSON: what a disk that lost its last writes has kept of it.
    except (FileNotFoundError, UnicodeDecodeError, msgspec.MsgspecError):
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


def _put(path: Path, content: bytes | str, owner: Owner | None) -> None:
    write_private(path, content, owner=(owner.uid, owner.gid) if owner else None)
