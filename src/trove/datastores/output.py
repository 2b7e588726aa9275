"""What an engine and its programs wrote, shortened: its beginning and its end.

An engine that crashes says first why, and then much about itself; one that gives up says why last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FIRST_LINES = 10
LAST_LINES = 15
PART = 8192
"""Bytes of the beginning and of the end of a log that are looked at."""


def excerpt(lines: Sequence[str]) -> str:
    """The first and the last of these lines, and how many were left out between them."""
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 0:
        return "\n".join(lines)
    between = f"[{left_out} lines]"
    return "\n".join([*lines[:FIRST_LINES], between, *lines[-LAST_LINES:]])


def excerpt_of(logs: Iterable[Path], known: Mapping[Path, int]) -> str:
    """Of these files, without the bytes that each had when it was `known`."""
    return excerpt([line for path in logs for line in _lines(path, known.get(path, 0))])


def _lines(path: Path, known: int) -> list[str]:
    if not path.is_file():
        return []
    end = path.stat().st_size
    with path.open("rb") as file:
        file.seek(known)
        written = file.read(PART)
        if file.tell() < end - PART:
            written += b"\n"
            file.seek(end - PART)
        written += file.read()
    return written.decode(errors="replace").splitlines()
