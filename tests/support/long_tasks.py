"""Processes of long tasks, as this machine sees them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from trove.processes import Process, all_processes

PLUGIN = Path(__file__).parents[1] / "e2e" / "agent" / "long_task_plugin"
"""A package with the task `run_until`, which ends when a file appears."""
WAITS = "waiting for the file"
"""What that task reports once it runs."""


def processes_of(task_id: str) -> list[int]:
    """The processes of a long task, its program included; any may end between two looks."""
    found = []
    for process in all_processes():
        with suppress(OSError):
            leader = os.getsid(process.pid)
            if leader and task_id.encode() in Process(leader).arguments():
                found.append(process.pid)
    return found
