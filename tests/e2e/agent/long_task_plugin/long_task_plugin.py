"""A task of the long lane, as another package adds one: it runs until a file exists."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import ClassVar

import msgspec

from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import LongGuest
from trove.guestagent.handlers import handles
from trove.protocol.tasks import AgentTask, Lane


class Ran(msgspec.Struct):
    """How often it was run with this file."""

    times: int = 0


class RunUntil(AgentTask[Ran], frozen=True):
    """Run, with a program of its own, until this file exists."""

    kind: ClassVar = "run_until"
    lane: ClassVar = Lane.LONG
    repeatable: ClassVar = False
    Result: ClassVar = Ran

    file: str
    password: str = ""


@handles(RunUntil)
def run_until(guest: LongGuest, task: RunUntil, attempt: Attempt) -> Ran:
    record = guest.directory.path / f"{Path(task.file).name}.runs"
    with record.open("a") as runs:
        runs.write("run\n")
    with subprocess.Popen(["sleep", "600"]) as program:
        while not Path(task.file).exists():
            attempt.report(0.5, "waiting for the file")
            time.sleep(0.05)
        program.kill()
    return Ran(len(record.read_text().splitlines()))
