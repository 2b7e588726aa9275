"""The journal under any sequence of tasks, restarts, full disks and damaged files."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.guestagent.journal import KEEP_ACKNOWLEDGED, KEEP_FORGOTTEN, Journal, TaskState
from trove.protocol import ErrorKind, TaskRequest

few = settings(max_examples=60, deadline=None, derandomize=True)

IDS = [str(uuid.UUID(int=n)) for n in range(1, 5)]
moves = st.lists(
    st.tuples(
        st.sampled_from(["take", "begin", "succeed", "fail", "acknowledge", "restart"]),
        st.sampled_from(IDS),
    ),
    max_size=25,
)


@dataclass
class Known:
    """What should be known of one task."""

    state: TaskState = TaskState.NOT_STARTED
    acknowledged: bool = False


@dataclass
class Model:
    """What should be known of all of them."""

    tasks: dict[str, Known] = field(default_factory=dict)

    def waiting(self) -> set[str]:
        ended = {TaskState.SUCCEEDED, TaskState.FAILED}
        return {i for i, t in self.tasks.items() if t.state in ended and not t.acknowledged}


def apply(journal: Journal, model: Model, move: str, task_id: str) -> None:
    """Do the same to both."""
    if move == "acknowledge":
        journal.acknowledge([task_id, str(uuid.uuid4())])
        if task_id in model.tasks:
            model.tasks[task_id].acknowledged = True
        return
    entry = journal.take(TaskRequest(task_id, "stop"))
    known = model.tasks.setdefault(task_id, Known())
    if move == "begin":
        journal.begin(entry)
        known.state, known.acknowledged = TaskState.IN_PROGRESS, False
    elif move == "succeed":
        journal.succeed(entry, {"n": 1})
        known.state = TaskState.SUCCEEDED
    elif move == "fail":
        journal.fail(entry, "why", ErrorKind.FAILED)
        known.state = TaskState.FAILED


@few
@given(moves)
def test_a_restart_changes_nothing_that_is_known(moves: list[tuple[str, str]]) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as directory:
        journal = Journal(Path(directory))
        for move, task_id in [*moves, ("restart", "")]:
            if move == "restart":
                journal = Journal(Path(directory))
            else:
                apply(journal, model, move, task_id)
            found = {i: journal.find(i) for i in IDS}
            assert {i: e.state for i, e in found.items() if e} == {
                i: known.state for i, known in model.tasks.items()
            }
            assert {entry.id for entry in journal.unacknowledged()} == model.waiting()
        names = {path.name for path in Path(directory).iterdir()}
        assert names == {f"{task_id}.json" for task_id in model.tasks}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_a_damaged_file_is_as_good_as_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / f"{IDS[0]}.json").write_bytes(content)
        journal = Journal(Path(directory))
        assert journal.find(IDS[0]) is None
        assert journal.take(TaskRequest(IDS[0], "stop")).state is TaskState.NOT_STARTED
        assert Journal(Path(directory)).find(IDS[0]) is not None


WRONG = [
    b"{}",
    b"[]",
    b"null",
    b'{"id": 1, "kind": "stop"}',
    b'{"id": "x", "kind": "stop", "state": "dreaming"}',
    b'{"id": "x", "kind": "stop", "result": []}',
    b'{"id": "x", "kind": "stop", "at": "yesterday"}',
    b'{"id": "x", "kind": "stop"',
    b"\xff\xfe",
]


@pytest.mark.parametrize("content", WRONG)
def test_what_is_no_entry_is_logged_and_ignored(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{IDS[0]}.json").write_bytes(content)
    assert Journal(tmp_path).unacknowledged() == []
    assert f"{IDS[0]}.json cannot be read" in caplog.text


def full(*args: Any, **options: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_keeps_the_last_state_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = Journal(tmp_path)
    entry = journal.take(TaskRequest(IDS[0], "stop"))
    journal.begin(entry)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            journal.succeed(entry, {"n": 1})
    kept = Journal(tmp_path).find(IDS[0])
    assert kept is not None
    assert kept.state in {TaskState.IN_PROGRESS, TaskState.SUCCEEDED}
    assert [path.name for path in tmp_path.iterdir()] == [f"{IDS[0]}.json"]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_loses_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """What the agent could not write down it reports all the same, and writes when it can."""
    journal = Journal(tmp_path)
    entry = journal.take(TaskRequest(IDS[0], "stop"))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            journal.succeed(entry, {"n": 1})
    assert [waiting.as_result().result for waiting in journal.unacknowledged()] == [{"n": 1}]
    journal.acknowledge([IDS[0]])
    again = Journal(tmp_path)
    assert again.unacknowledged() == []
    found = again.find(IDS[0])
    assert found is not None
    assert found.has_ended


@pytest.mark.parametrize(
    ("acknowledged", "age", "stays"),
    [
        (True, KEEP_ACKNOWLEDGED - 1, True),
        (True, KEEP_ACKNOWLEDGED + 1, False),
        (False, KEEP_ACKNOWLEDGED + 1, True),
        (False, KEEP_FORGOTTEN - 1, True),
        (False, KEEP_FORGOTTEN + 1, False),
    ],
)
def test_entries_stay_for_as_long_as_a_task_may_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acknowledged: bool, age: float, stays: bool
) -> None:
    now = 1_000_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    journal = Journal(tmp_path)
    journal.fail(journal.take(TaskRequest(IDS[0], "stop")), "why", ErrorKind.FAILED)
    if acknowledged:
        journal.acknowledge([IDS[0]])
    now += age
    assert (Journal(tmp_path).find(IDS[0]) is not None) is stays
    assert bool(list(tmp_path.iterdir())) is stays


def test_the_oldest_result_is_reported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    ends = {IDS[0]: 300.0, IDS[1]: 100.0, IDS[2]: 200.0}
    for task_id, end in ends.items():
        monkeypatch.setattr(time, "time", lambda end=end: 1_000_000_000 + end)
        journal.succeed(journal.take(TaskRequest(task_id, "stop")), {})
    for each in (journal, Journal(tmp_path)):
        assert [entry.id for entry in each.unacknowledged()] == [IDS[1], IDS[2], IDS[0]]


def test_what_a_crash_cut_off_goes_with_the_next_start(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(journal.take(TaskRequest(IDS[0], "stop")))
    cut_off = tmp_path / f".{IDS[0]}.json.0123456789abcdef"
    cut_off.write_bytes(b'{"id": "')
    found = Journal(tmp_path).find(IDS[0])
    assert found is not None
    assert found.state is TaskState.IN_PROGRESS
    assert not cut_off.exists()
