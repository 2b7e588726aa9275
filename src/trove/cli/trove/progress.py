"""Shows how far an operation has come: one line that changes, or a line for each change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from trove.client.operations import Sight

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
START_OF_LINE = "\r\x1b[2K"


class ProgressLine:
    """Give its `show` to a Watcher; `finish` when nothing more will come."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.begun = clock()
        self.looks = 0
        self.last = ""
        # In a file or a pipeline, a line for each change; the codes of a terminal would be rubbish
        # there.
        self.rewrites = stream.isatty()

    def show(self, sight: Sight) -> None:
        line = line_of(sight)
        if self.rewrites:
            self._rewrite(line)
        elif line != self.last:
            print(line, file=self.stream, flush=True)
        self.last = line

    def _rewrite(self, line: str) -> None:
        self.looks += 1
        wheel = SPINNER[self.looks % len(SPINNER)]
        passed = f"{self.clock() - self.begun:.0f} s"
        # A line that is wrapped could not be rewritten: \r goes back to the last row alone.
        room = _columns_of(self.stream) - len(passed) - 4
        text = f"{START_OF_LINE}{wheel} {line[:room]} {passed}"
        print(text, end="", file=self.stream, flush=True)

    def finish(self) -> None:
        """Leave the terminal's line free again."""
        if self.rewrites and self.looks:
            print(START_OF_LINE, end="", file=self.stream, flush=True)


def _columns_of(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    # No terminal after all, or a stream without a file below it, as in tests.
    except (OSError, ValueError):
        return 80


def line_of(sight: Sight) -> str:
    """`instance.create  40 %  server.await_up: booting`"""
    percent = "" if sight.percent is None else f"{sight.percent:>3} %"
    doing = "" if sight.state == "running" else sight.state
    at = "" if sight.is_over else ": ".join(part for part in (sight.step, sight.note) if part)
    return "  ".join(part for part in (sight.workflow, percent, doing, at) if part)
