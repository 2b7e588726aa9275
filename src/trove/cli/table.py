"""The one printer of tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import TextIO

PLAIN = "\x1b[0m"
"""Ends a colour."""
KEPT = frozenset(map(ord, "\t\n"))
ESCAPED = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if n not in KEPT}


def printable(text: str) -> str:
    """The text as a terminal may have it: what guests and other users wrote cannot control it."""
    return text.translate(ESCAPED)


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    stream: TextIO | None = None,
    colour_of: Callable[[str], str | None] = lambda cell: None,
) -> None:
    """`colour_of` is the terminal's code for a cell, which `PLAIN` ends."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    columns = zip(headers, *cells, strict=True)
    widths = [
        max(_width(line) for cell in column for line in _lines_in(cell)) for column in columns
    ]
    rule = "+".join(["", *("-" * (width + 2) for width in widths), ""])
    print(rule, _line(headers, widths), rule, sep="\n", file=stream)
    for row in cells:
        # Each line of a cell that has several needs the frame around it.
        for line in zip_longest(*map(_lines_in, row), fillvalue=""):
            print(_line(line, widths, colour_of), file=stream)
    print(rule, file=stream)


def _lines_in(cell: str) -> list[str]:
    """At least one, so that a row of empty cells is a row."""
    return cell.splitlines() or [""]


def _line(
    cells: Iterable[str],
    widths: list[int],
    colour_of: Callable[[str], str | None] = lambda cell: None,
) -> str:
    padded = []
    for cell, width in zip(cells, widths, strict=True):
        colour = colour_of(cell)
        shown = f"{colour}{cell}{PLAIN}" if colour else cell
        # Padded after it is coloured, because the codes have no width on the terminal.
        padded.append(shown + " " * (width - _width(cell)))
    return f"| {' | '.join(padded)} |"


def _width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    # Wide characters take two columns, combining accents none.
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
