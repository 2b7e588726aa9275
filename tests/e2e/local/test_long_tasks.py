"""A long task in the sandbox of a local instance: users are made beside it, it outlives its agent,
and a cancel of its operation through the API ends it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.long_tasks import processes_of
from tests.support.provider import IS_ROOT
from tests.support.stack import RESULTS, Stack, agent_pids
from tests.support.waiting import until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.root,
    pytest.mark.skipif(not IS_ROOT, reason="looks into the sandboxes of other users"),
]


def test_it_outlives_its_agent_and_ends_with_a_cancel(stack: Stack, instance_id: str) -> None:
    directory = stack.agent_directory(instance_id)
    before = min(stack.create_user(instance_id, f"before{n}") for n in range(5))

    file = directory / "enough"
    operation_id, task_id = stack.start_long(instance_id, file)
    pids = processes_of(task_id)
    assert len(pids) == 2
    beside = min(stack.create_user(instance_id, f"beside{n}") for n in range(5))
    print(f"a user: {before * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside a long task")

    (agent,) = agent_pids(directory)
    os.kill(agent, signal.SIGKILL)
    until(lambda: agent_pids(directory) not in ([], [agent]))
    stack.create_user(instance_id, "after")
    assert processes_of(task_id) == pids
    file.touch()
    until(lambda: stack.operation(operation_id).state == "succeeded")
    assert RESULTS.pop(operation_id) == [1]
    assert processes_of(task_id) == []

    operation_id, task_id = stack.start_long(instance_id, directory / "never")
    assert processes_of(task_id)
    begun = time.monotonic()
    stack.call("POST", f"/operations/{operation_id}/action", {"cancel": {}})
    until(lambda: not processes_of(task_id))
    print(f"its process group is gone {time.monotonic() - begun:.2f} s after the cancel")
    until(lambda: stack.operation(operation_id).state == "cancelled")
    stack.create_user(instance_id, "later")
    assert operation_id not in RESULTS
