"""Shows the progress of an operation: one line that changes, or a line for each change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from trove.cli.table import printable
from trove.client.operations import Progress

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
START_OF_LINE = "\r\x1b[2K"


class ProgressLine:
    """`show` is for a Watcher; call `finish` at the end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.begun = clock()
        self.polls = 0
        self.last = ""
        # Only a terminal understands the codes; a file gets a line for each change.
        self.rewrites = stream.isatty()

    def show(self, progress: Progress) -> None:
        line = line_of(progress)
        if self.rewrites:
            self._rewrite(line)
        elif line != self.last:
            print(line, file=self.stream, flush=True)
        self.last = line

    def _rewrite(self, line: str) -> None:
        self.polls += 1
        wheel = SPINNER[self.polls % len(SPINNER)]
        passed = f"{self.clock() - self.begun:.0f} s"
        # A wrapped line could not be rewritten: \r only returns to the start of the last row.
        space = _columns_of(self.stream) - len(passed) - 4
        text = f"{START_OF_LINE}{wheel} {line[:space]} {passed}"
        print(text, end="", file=self.stream, flush=True)

    def finish(self) -> None:
        """Clear the line of the terminal."""
        if self.rewrites and self.polls:
            print(START_OF_LINE, end="", file=self.stream, flush=True)


def _columns_of(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    # Not a terminal, or a stream without a file, as in tests.
    except (OSError, ValueError):
        return 80


def line_of(progress: Progress) -> str:
    """`instance.create  40 %  server.await_up: booting`"""
    percent = "" if progress.percent is None else f"{progress.percent:>3} %"
    doing = "" if progress.state == "running" else progress.state
    at = (
        ""
        if progress.is_over
        else ": ".join(part for part in (progress.step, progress.note) if part)
    )
    return printable("  ".join(part for part in (progress.workflow, percent, doing, at) if part))
