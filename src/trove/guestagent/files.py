"""The agent's own records, as JSON in private files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trove.errors import Failed
from trove.files import write_private

T = TypeVar("T")


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    write_private(path, msgspec.json.encode(value), durable=durable)


def read_json(path: Path, kind: type[T]) -> T:
    """Raises FileNotFoundError, and Failed when the file is not what it should be."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise Failed(f"{path} cannot be read: {error}") from None
