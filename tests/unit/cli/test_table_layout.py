"""Tables as terminals show them: every cell is there, and every line has the same width."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.cli.table import PLAIN, print_table

RED = "\x1b[31m"
COLOUR = re.compile("\x1b\\[[0-9]*m")

characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
cells = st.text(characters, max_size=12)
several_lines = st.lists(cells, min_size=1, max_size=3).map("\n".join)


def table(headers: list[str], rows: list[list[object]], **options: object) -> list[str]:
    stream = io.StringIO()
    print_table(headers, rows, stream=stream, **options)  # type: ignore[arg-type]
    return stream.getvalue().split("\n")[:-1]


def width_of(line: str) -> int:
    """Columns that a terminal needs, counted character by character."""
    width = 0
    for character in COLOUR.sub("", line):
        if unicodedata.combining(character):
            continue
        width += 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
    return width


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    count = draw(st.integers(1, 4))
    names = st.text("abcXYZ ", min_size=1, max_size=8)
    headers = draw(st.lists(names, min_size=count, max_size=count))
    row = st.lists(several_lines, min_size=count, max_size=count)
    return headers, draw(st.lists(row, max_size=5))


@settings(deadline=None, derandomize=True)
@given(tables())
def test_every_line_has_the_same_width(made: tuple[list[str], list[list[str]]]) -> None:
    headers, rows = made
    lines = table(headers, [list(row) for row in rows])
    assert len({width_of(line) for line in lines}) == 1
    rule = lines[0]
    assert set(rule) <= {"+", "-"}
    assert [lines[2], lines[-1]] == [rule, rule]


@settings(deadline=None, derandomize=True)
@given(tables())
def test_every_cell_is_shown(made: tuple[list[str], list[list[str]]]) -> None:
    headers, rows = made
    lines = table(headers, [list(row) for row in rows])
    for row in rows:
        for cell in row:
            for text in cell.splitlines():
                assert any(f"| {text}" in line for line in lines)


@settings(deadline=None, derandomize=True)
@given(tables())
def test_each_row_has_as_many_lines_as_its_tallest_cell(
    made: tuple[list[str], list[list[str]]],
) -> None:
    headers, rows = made
    lines = table(headers, [list(row) for row in rows])
    tallest = [max(1, *(len(cell.splitlines()) for cell in row)) for row in rows]
    assert len(lines) == 4 + sum(tallest)


@pytest.mark.parametrize("empty", ["", "\n"])
def test_a_row_of_nothing_is_a_row(empty: str) -> None:
    lines = table(["Name"], [[empty], ["b"]])
    assert [line for line in lines if line.startswith("|")] == ["| Name |", "|      |", "| b    |"]


def test_a_column_without_a_name_is_shown() -> None:
    assert table([""], []) == ["+--+", "|  |", "+--+", "+--+"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("ascii", "| ascii |"),
        ("日本", "| 日本  |"),
        ("e\u0301te\u0301", "| e\u0301te\u0301   |"),
        (12, "| 12    |"),
        (None, "| None  |"),
        (True, "| True  |"),
    ],
)
def test_cells_are_padded_by_what_a_terminal_shows(cell: object, shown: str) -> None:
    assert shown in table(["12345"], [[cell]])


def test_colours_have_no_width() -> None:
    def colour_of(cell: str) -> str | None:
        return RED if cell == "ERROR" else None

    lines = table(["Status", "Name"], [["ERROR", "a"], ["ACTIVE", "ERROR"]], colour_of=colour_of)
    assert f"| {RED}ERROR{PLAIN}  | a     |" in lines
    assert f"| ACTIVE | {RED}ERROR{PLAIN} |" in lines
    assert len({width_of(line) for line in lines}) == 1


def test_headers_have_no_colour() -> None:
    lines = table(["ERROR"], [["x"]], colour_of=lambda cell: RED)
    assert lines[1] == "| ERROR |"


def test_a_row_that_lacks_a_cell_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        table(["A", "B"], [["only one"]])
