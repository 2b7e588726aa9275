"""`place.json`: where one engine is in its guest, and how large it may be.

Written by the provider that makes the guest, read by the agent and the datastore. The file keeps
the name and the fields of the first release; unknown fields are ignored, so that either side may
be newer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The directories, address and size of an engine."""

    manager: str
    """The datastore folder, for example `postgresql`."""
    version: str | None = None
    binaries: Path
    """The directory of the engine's programs."""
    data: Path
    """The data volume; the engine's own directory is below it."""
    run: Path
    """Sockets and pid files; short enough for a socket path."""
    config: Path
    """Configuration, certificate and key; only the engine's user reads it."""
    logs: Path
    address: str
    port: int
    memory: int
    """MiB, the flavor's."""
    vcpus: int
    settings: dict[str, str] = {}
    """Further engine settings, which win over the computed ones."""

    @property
    def certificate(self) -> Path:
        return self.config / "server.crt"

    @property
    def private_key(self) -> Path:
        return self.config / "server.key"

    @property
    def authority(self) -> Path:
        return self.config / "ca.crt"

    def resized(self, memory: int, vcpus: int) -> EngineSpec:
        return msgspec.structs.replace(self, memory=memory, vcpus=vcpus)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self, enc_hook=encode_path)

    @classmethod
    def from_json(cls, content: bytes) -> EngineSpec:
        """Raises msgspec.MsgspecError."""
        return msgspec.json.decode(content, type=cls, dec_hook=decode_path)


def encode_path(value: Any) -> str:
    """msgspec's hook for types that JSON does not have."""
    if not isinstance(value, Path):
        raise NotImplementedError(f"{type(value).__name__} has no JSON form")
    return str(value)


def decode_path(kind: type, value: Any) -> Path:
    """The reverse of `encode_path`."""
    if kind is not Path or not isinstance(value, str):
        raise ValueError(f"Expected a path, got {value!r}")
    return Path(value)
