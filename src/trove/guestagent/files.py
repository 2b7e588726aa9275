"""Files that survive a crash at any moment: each is whole, the old one or the new."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trove.errors import Failed

T = TypeVar("T")


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, lasting: bool = True) -> None:
    """Put this content there at once. `lasting` says whether it must survive a power cut."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        if lasting:
            os.fsync(file.fileno())
    new.replace(path)
    if lasting:
        keep_names(path.parent)


def keep_content(path: Path) -> None:
    """Let what another process has written there survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_names(directory: Path) -> None:
    """Let what was renamed or removed here survive a power cut."""
    keep_content(directory)


def write_json(path: Path, value: Any, *, lasting: bool = True) -> None:
    write_whole(path, msgspec.json.encode(value), lasting=lasting)


def read_json(path: Path, kind: type[T]) -> T:
    """Raises FileNotFoundError, and Failed when the file is not what it should be."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise Failed(f"{path} can not be read: {error}") from None
