"""A task given twice is done once, whatever happens to the agent."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from trove.errors import Invalid
from trove.guestagent import journal as module
from trove.guestagent.journal import Journal, TaskState
from trove.protocol import TaskRequest, TaskResult

ID = "0c0f6f6e-6b43-4f0f-8f0c-0a8d5e1f2a3b"
REQUEST = TaskRequest(ID, "create_users", {"users": [{"name": "bob", "password": "s3cret!"}]})


def test_the_journal_outlives_the_agent(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    entry = journal.take(REQUEST)
    assert entry.state is TaskState.NOT_STARTED
    journal.begin(entry, ["bob"])
    again = Journal(tmp_path / "journal").take(REQUEST)
    assert (again.state, again.existed) == (TaskState.IN_PROGRESS, ["bob"])
    journal.succeed(entry, {"n": 1})
    found = Journal(tmp_path / "journal").find(ID)
    assert found is not None
    assert found.has_ended
    assert found.as_result() == TaskResult(ID, {"n": 1})


def test_it_holds_no_secret_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(journal.take(REQUEST))
    (file,) = (tmp_path / "journal").iterdir()
    assert "s3cret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700


def test_what_was_not_acknowledged_is_reported_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    entry = journal.take(REQUEST)
    journal.fail(entry, "why", "failed")
    assert [e.id for e in Journal(tmp_path).unacknowledged()] == [ID]
    journal.acknowledge([ID])
    assert Journal(tmp_path).unacknowledged() == []
    assert Journal(tmp_path).find(ID) is not None


def test_old_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.succeed(journal.take(REQUEST), {})
    journal.acknowledge([ID])
    kept = Journal(tmp_path)
    assert kept.find(ID)
    monkeypatch.setattr(module, "KEEP_ACKNOWLEDGED", -1.0)
    assert Journal(tmp_path).find(ID) is None
    assert list(tmp_path.iterdir()) == []


def test_an_entry_that_a_power_cut_left_empty_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / f"{ID}.json").touch()
    journal = Journal(tmp_path)
    assert journal.find(ID) is None
    assert journal.take(REQUEST).state is TaskState.NOT_STARTED


@pytest.mark.parametrize("task_id", ["../../etc/passwd", "", "x"])
def test_an_id_is_never_a_path(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(Invalid):
        Journal(tmp_path).take(TaskRequest(task_id, "stop"))
    assert list(tmp_path.iterdir()) == []
