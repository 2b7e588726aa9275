"""What an engine wrote, shortened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.datastores.output import FIRST_LINES, LAST_LINES, PART, excerpt, excerpt_of

SHOWN = FIRST_LINES + LAST_LINES


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@given(st.integers(0, 3 * SHOWN))
def test_the_first_and_the_last_lines_are_kept(count: int) -> None:
    shown = excerpt(numbers(count)).splitlines()
    if count <= SHOWN:
        assert shown == numbers(count)
        return
    first, last = numbers(count)[:FIRST_LINES], numbers(count)[-LAST_LINES:]
    assert shown == [*first, f"[{count - SHOWN} lines]", *last]


def test_only_new_lines_of_logs_are_quoted(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old\n")
    known = {old: old.stat().st_size}
    new.write_text("\n".join(numbers(5)))
    assert excerpt_of([old, new, tmp_path / "absent"], known).splitlines() == numbers(5)
    with old.open("a") as file:
        file.write("newer\n")
    assert excerpt_of([old], known) == "newer"


@pytest.mark.parametrize("size", [PART - 7, PART, PART + 3, 2 * PART, 2 * PART + 5, 9 * PART])
def test_of_a_long_log_both_ends_are_read(tmp_path: Path, size: int) -> None:
    log = tmp_path / "log"
    first, last = b"why it crashed\n", b"the last words\n"
    log.write_bytes(first + b"x" * (size - len(first) - len(last) - 1) + b"\n" + last)
    shown = excerpt_of([log], {}).splitlines()
    assert (shown[0], shown[-1]) == ("why it crashed", "the last words")
    assert sum(map(len, shown)) <= 2 * PART
