"""What is reported, and what is no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.guestagent.conftest import MemoryAccounts, MemoryDriver, memory_datastore
from trove.guestagent.engine import Engine
from trove.guestagent.outbox import Outbox, Reporter, usage_of
from trove.guestagent.state import AgentDirectory
from trove.protocol import Accounts, DatabaseAccount, EngineState, TaskProgress, TaskResult


def test_accounts_are_reported_when_they_changed() -> None:
    outbox = Outbox()
    outbox.set_accounts(Accounts())
    assert outbox.news.is_set()
    batch = outbox.batch()
    assert batch.accounts == Accounts()
    assert outbox.batch().accounts == Accounts(), "reported again until it is acknowledged"
    outbox.acknowledge(batch)
    assert outbox.batch().accounts is None
    outbox.set_accounts(Accounts())
    assert not outbox.news.is_set()
    outbox.set_accounts(Accounts([DatabaseAccount("a")]))
    assert outbox.news.is_set()


def test_accounts_that_changed_back_are_reported_after_an_answer_was_lost() -> None:
    outbox = Outbox()
    for accounts in (Accounts(), Accounts([DatabaseAccount("a")])):
        outbox.set_accounts(accounts)
        batch = outbox.batch()
        if not accounts.databases:
            outbox.acknowledge(batch)
    outbox.set_accounts(Accounts())
    assert outbox.news.is_set()
    assert outbox.batch().accounts == Accounts()


def test_what_changes_during_a_report_is_reported_again() -> None:
    outbox = Outbox()
    outbox.set_progress(TaskProgress("t", 0.1))
    outbox.set_progress(TaskProgress("u", 0.1))
    outbox.add_result(TaskResult("r", {"n": 1}))
    batch = outbox.batch()
    outbox.set_progress(TaskProgress("t", 0.2))
    outbox.add_result(TaskResult("r", {"n": 2}))
    outbox.acknowledge(batch)
    after = outbox.batch()
    assert after.progress == [TaskProgress("t", 0.2)]
    assert after.results == [TaskResult("r", {"n": 2})]
    outbox.add_result(TaskResult("t", {}))
    assert outbox.batch().progress == []


def test_a_report_says_what_is(
    agent_directory: AgentDirectory, driver: MemoryDriver, directory: Path
) -> None:
    engine = Engine(
        agent_directory, lambda: None, datastore=memory_datastore(driver, MemoryAccounts())
    )
    reporter = Reporter(agent_directory, engine)
    report = reporter.report()
    assert (report.engine, report.volume_used, report.accounts) == (EngineState.NEW, 0.0, None)
    (directory / "data").mkdir()
    (directory / "data" / "file").write_bytes(os.urandom(2**20))
    assert reporter.report().volume_used == 0.0, "measured now and then only"
    engine.bring_up()
    report = reporter.report(Accounts())
    assert (report.engine, report.engine_version) == (EngineState.RUNNING, "15.2")
    assert report.accounts == Accounts()
    assert report.volume_used == pytest.approx(2**-10, rel=0.2)
    assert report.volume_total is None


def test_the_size_of_a_volume_is_read(tmp_path: Path) -> None:
    used, total = usage_of(Path("/proc"), beside=tmp_path)
    assert (used, total) == (0.0, 0.0)
    used, total = usage_of(Path("/dev/shm"), beside=tmp_path)
    assert total is not None
    assert 0 <= used <= total


def test_a_volume_is_full_when_its_user_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some blocks are kept for the superuser, and free in vain."""
    kept = os.statvfs_result((4096, 4096, 262144, 13107, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr("os.statvfs", lambda _: kept)
    used, total = usage_of(Path("/dev/shm"), beside=tmp_path)
    assert used == total == pytest.approx(0.95, abs=0.01)


def test_files_that_go_while_they_are_counted_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.walk", lambda _: [(str(tmp_path), [], ["gone"])])
    assert usage_of(tmp_path, beside=tmp_path) == (0.0, None)
