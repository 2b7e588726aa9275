"""Tables, and what a terminal must not get from a guest or another user."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trove.cli.table import print_table, printable
from trove.cli.trove.output import Output
from trove.cli.trove.progress import line_of
from trove.client.operations import Progress

CLEAR, RETITLE, EIGHT_BITS = "\x1b[2J", "\x1b]0;title\x07", "\x9b31m"
HOSTILE = (CLEAR, RETITLE, EIGHT_BITS, "\x00", "\x7f", "over\rwritten", "\x08\x08")


def controls_in(text: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) == "Cc"}


@given(st.text())
@example("".join(map(chr, range(256))))
def test_nothing_but_lines_and_tabs_is_left_of_controls(text: str) -> None:
    shown = printable(text)
    assert controls_in(shown) <= {"\n", "\t"}
    assert printable(shown) == shown
    if not controls_in(text):
        assert shown == text


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_table_is_a_frame_around_any_text(cells: list[str]) -> None:
    stream = io.StringIO()
    print_table([f"H{number}" for number in range(len(cells))], [cells], stream=stream)
    lines = stream.getvalue().split("\n")[:-1]
    assert all(line[0] == line[-1] and line[0] in "+|" for line in lines)
    assert controls_in(stream.getvalue()) <= {"\n", "\t"}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("style", ["table", "value", "json", "yaml"])
def test_no_format_lets_a_guest_control_the_terminal(text: str, style: str) -> None:
    stream = io.StringIO()
    Output(stream, style).show_one({"fault": {"message": f"it failed: {text}"}})
    assert controls_in(stream.getvalue()) <= {"\n"}
    if style == "json":
        assert json.loads(stream.getvalue())["fault"]["message"] == f"it failed: {text}"


def test_a_colour_is_ours_alone() -> None:
    stream = io.StringIO()
    Output(stream, coloured=True).show_one({"status": "ACTIVE", "fault": "\x1b[31mACTIVE"})
    assert "\x1b[32mACTIVE\x1b[0m" in stream.getvalue()
    assert "\\x1b[31mACTIVE" in stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_note_does_not_control_the_line_of_progress(text: str) -> None:
    progress = Progress("instance.create", "running", step="server.await_up", note=text)
    assert controls_in(line_of(progress)) == set()
