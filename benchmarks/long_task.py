"""A user is created beside a long task, and a cancel of its operation ends its processes."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Result, show
from tests.support.long_tasks import processes_of
from tests.support.stack import Stack, stack_in
from tests.support.waiting import until

ROUNDS = 20
RATIO = 1.25
CANCEL_SECONDS = 5.0
LONG_SECONDS = 60.0


def main() -> int:
    with tempfile.TemporaryDirectory() as directory, stack_in(Path(directory)) as stack:
        instance_id = stack.create("postgresql")
        try:
            return show(_results(stack, instance_id))
        finally:
            stack.delete(instance_id)


def _results(stack: Stack, instance_id: str) -> list[Result]:
    never = stack.agent_directory(instance_id) / "never"
    alone = _user_seconds(stack, instance_id, "alone")
    operation_id, task_id = stack.start_long(instance_id, never)
    # One that has run for a minute is no worse to have.
    time.sleep(LONG_SECONDS)
    beside = _user_seconds(stack, instance_id, "beside")
    again = _user_seconds(stack, instance_id, "again")
    begun = time.monotonic()
    stack.call("POST", f"/operations/{operation_id}/action", {"cancel": {}})
    until(lambda: not processes_of(task_id))
    ended = time.monotonic() - begun
    return [
        Result(
            "create a user",
            f"{beside * 1000:.0f} ms beside a long task",
            f"{alone * 1000:.0f} ms without",
            min(beside, again) / alone,
            RATIO,
        ),
        Result(
            "cancel its operation",
            f"{ended:.2f} s",
            "until its processes are gone",
            ended,
            CANCEL_SECONDS,
            unit="s",
        ),
    ]


def _user_seconds(stack: Stack, instance_id: str, name: str) -> float:
    """The median of several."""
    taken = sorted(stack.create_user(instance_id, f"{name}{n}") for n in range(ROUNDS))
    return taken[ROUNDS // 2]


if __name__ == "__main__":
    sys.exit(main())
