"""A long task as a process, by its files."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from tests.support.waiting import until
from trove.guestagent.long_task import LongTask, left_by_earlier_agents
from trove.guestagent.state import AgentDirectory
from trove.protocol import TaskRequest


@pytest.fixture
def task(directory: Path) -> LongTask:
    return LongTask(AgentDirectory(directory), str(uuid.uuid4()))


def test_a_process_leaves_its_result_in_a_file(task: LongTask) -> None:
    """Here that it knows no such task: an error is a result, too."""
    assert (task.progress(), task.result(), task.tail()) == (None, None, "")
    task.start(TaskRequest(task.id, "of_another_release"))
    until(lambda: not task.is_alive())
    result = task.result()
    assert result is not None and "of_another_release" in (result.error or ""), task.tail()
    progress = task.progress()
    assert progress is not None and progress.note == "started"
    assert [left.id for left in left_by_earlier_agents(task.directory)] == [task.id]
    task.remove()
    assert list(left_by_earlier_agents(task.directory)) == []


def test_a_second_process_does_not_repeat_what_is_done(task: LongTask) -> None:
    task.start(TaskRequest(task.id, "of_another_release"))
    until(lambda: not task.is_alive())
    first = task.result_file.stat().st_mtime_ns
    task.start(TaskRequest(task.id, "of_another_release"))
    until(lambda: not task.is_alive())
    assert task.result_file.stat().st_mtime_ns == first


def test_ending_it_ends_its_whole_process_group(task: LongTask) -> None:
    task.end()
    deaf = ["sh", "-c", "trap '' TERM; sleep 1000 & wait"]
    task.started = subprocess.Popen(deaf, start_new_session=True)
    task.end(0.1)
    assert not task.is_alive()
