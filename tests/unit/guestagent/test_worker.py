"""Tasks are done in order, once, and every outcome is reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.agents import ACCOUNT_CHANGES
from tests.unit.guestagent.conftest import (
    MemoryAccounts,
    MemoryDriver,
    MemoryRoot,
    memory_datastore,
)
from trove.datastores import manifest_of
from trove.datastores.mariadb import session as mariadb
from trove.datastores.parts import Datastore
from trove.datastores.postgresql import session as postgresql
from trove.db import new_id
from trove.errors import Failed, TroveError, Unavailable
from trove.guestagent import worker
from trove.guestagent.engine import Engine
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import handler_of, typed
from trove.guestagent.journal import Journal
from trove.guestagent.outbox import Batch, Outbox
from trove.guestagent.state import AgentDirectory
from trove.guestagent.worker import Worker
from trove.protocol import CertificateAnswer, DatabaseAccount, TaskRequest, TaskResult
from trove.protocol.tasks import USUAL_PATIENCE, DisableRoot
from trove.settings import TimingSettings


class Killed(BaseException):
    """The agent's process dies here."""


class AgentProcess:
    """One run of the agent's process, on the same disk and the same engine as the last."""

    def __init__(
        self,
        directory: Path,
        driver: MemoryDriver,
        accounts: MemoryAccounts,
        datastore: Datastore | None = None,
    ) -> None:
        self.directory = AgentDirectory(directory)
        self.outbox = Outbox()
        self.closing = threading.Event()
        self.certified: list[str] = []
        self.engine = Engine(
            self.directory,
            self.outbox.news.set,
            datastore=datastore or memory_datastore(driver, accounts),
        )
        self.guest = Guest(self.directory, self.engine, self.certify, self.outbox.set_accounts)
        self.worker = Worker(
            Journal(self.directory.journal), self.outbox, self.guest, self.closing, lambda s: None
        )

    def certify(self, csr: str) -> CertificateAnswer:
        self.certified.append(csr)
        return CertificateAnswer("certificate", "authority", 1000.0)

    def do(self, *requests: TaskRequest) -> list[TaskResult]:
        """The results to report after these."""
        self.worker.take(requests)
        self.worker.do_all()
        return self.outbox.batch().results


@pytest.fixture
def run_agent(
    directory: Path, driver: MemoryDriver, accounts: MemoryAccounts
) -> Callable[[], AgentProcess]:
    return lambda: AgentProcess(directory, driver, accounts)


class WithdrawnRoot(MemoryRoot):
    """The task is withdrawn while it is carried out, and then fails."""

    def __init__(
        self, accounts: MemoryAccounts, worker: Worker, task_id: str, error: TroveError
    ) -> None:
        super().__init__(accounts)
        self.worker, self.task_id, self.error = worker, task_id, error
        self.attempts = 0

    def disable(self) -> None:
        self.attempts += 1
        self.worker.withdraw([self.task_id])
        raise self.error


def task_of(kind: str, **args: Any) -> TaskRequest:
    return TaskRequest(new_id(), kind, args)


def test_a_task_given_twice_is_done_once(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    process, task = run_agent(), task_of("create_databases", databases=[{"name": "a"}])
    (first,) = process.do(task)
    assert first.error is None
    assert accounts.databases == ["a"]
    assert process.do(task) == [first]
    assert process.worker.busy() == [task.id]
    process.worker.acknowledge(Batch([first], [], None))
    process.outbox.acknowledge(Batch([first], [], None))
    assert process.worker.busy() == []
    assert process.do(task) == [first]
    assert run_agent().outbox.batch().results == []


def test_what_was_not_reported_is_reported_by_the_next_process(
    run_agent: Callable[[], AgentProcess],
) -> None:
    task = task_of("diagnose")
    results = run_agent().do(task)
    assert run_agent().outbox.batch().results == results
    assert run_agent().worker.busy() == [task.id]


def fill(accounts: MemoryAccounts) -> None:
    from trove.protocol import Account

    accounts.databases[:] = ["old", "mine"]
    accounts.users.clear()
    accounts.users["bob"] = Account("bob", databases=["mine"], password="b")


@pytest.mark.parametrize(("kind", "args"), ACCOUNT_CHANGES, ids=lambda part: str(part)[:20])
def test_a_change_that_a_death_or_a_break_interrupted_is_done_once(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, kind: str, args: dict[str, Any]
) -> None:
    """The death comes right after the effect, before the journal records it."""
    fill(accounts)
    (once,) = run_agent().do(task_of(kind, **args))
    expected = (accounts.databases[:], accounts.read(), accounts.root)
    assert once.error is None
    errors: list[BaseException] = [Killed(), Unavailable("connection lost")]
    for error in errors:
        fill(accounts)
        accounts.root = None
        accounts.errors = [error]
        task = task_of(kind, **args)
        try:
            (answer,) = run_agent().do(task)[-1:]
        except Killed:
            (answer,) = run_agent().do(task)[-1:]
        assert (answer.id, answer.error, answer.result) == (task.id, None, once.result)
        assert (accounts.databases, accounts.read(), accounts.root) == expected


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("create_databases", {"databases": [{"name": "new"}, {"name": "old"}]}),
        ("create_users", {"users": [{"name": "bob", "password": "stolen"}]}),
    ],
)
def test_what_was_there_before_is_never_taken_for_ones_own(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, kind: str, args: dict[str, Any]
) -> None:
    fill(accounts)
    task = task_of(kind, **args)
    process = run_agent()
    entry = process.worker._journal.take(task)
    handler = handler_of(kind)
    process.worker._attempt(entry, handler, typed(handler, args))
    (answer,) = run_agent().do(task)
    assert answer.error_kind == "exists"
    assert accounts.users["bob"].password == "b"
    assert run_agent().do(task_of(kind, **args))[-1].error_kind == "exists"


def test_missing_things_are_missing(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    (answer,) = run_agent().do(task_of("delete_database", name="nowhere"))
    assert answer.error_kind == "not_found"


def test_prepare_makes_everything_and_may_be_repeated(
    run_agent: Callable[[], AgentProcess],
    accounts: MemoryAccounts,
    driver: MemoryDriver,
    directory: Path,
) -> None:
    args: dict[str, Any] = {
        "memory": 512,
        "vcpus": 2,
        "databases": [{"name": "app"}],
        "users": [{"name": "bob", "password": "b", "databases": ["app"]}],
        "root_password": "r",
    }
    process = run_agent()
    (answer,) = process.do(task_of("prepare", **args))
    assert answer.error is None
    assert answer.result is not None
    assert answer.result["engine_version"] == "15.2"
    assert answer.result["accounts"]["root_enabled"]
    assert driver.calls == ["prepare", "configure", "start"]
    assert "BEGIN CERTIFICATE REQUEST" in process.certified[0]
    assert (directory / "config" / "server.crt").read_text() == "certificate"
    assert (directory / "config" / "ca.crt").read_text() == "authority"
    assert "PRIVATE KEY" in (directory / "config" / "server.key").read_text()
    accounts.users["bob"].password = "changed meanwhile"
    (_, again) = run_agent().do(task_of("prepare", **args))
    assert again.result == answer.result
    assert accounts.users["bob"].password == "b"
    assert [p.note for p in process.outbox.batch().progress] == []
    (plain,) = AgentProcess(directory, driver, accounts).do(task_of("prepare"))[-1:]
    assert plain.error is None


def test_engine_tasks(
    run_agent: Callable[[], AgentProcess], driver: MemoryDriver, agent_directory: AgentDirectory
) -> None:
    process = run_agent()
    for kind in ("start", "restart", "stop"):
        (answer,) = process.do(task_of(kind))[-1:]
        assert answer.result == {}
    assert driver.calls == ["configure", "start", "stop", "configure", "start", "stop"]
    (answer,) = process.do(task_of("resize", memory=512, vcpus=3))[-1:]
    assert answer.result == {}
    (answer,) = process.do(task_of("diagnose"))[-1:]
    assert answer.result is not None
    assert answer.result["hwinfo"] == {"mem_total": 512 * 1024, "num_cpus": 3}
    assert answer.result["diagnostics"]["vmRss"] > 1000


@pytest.mark.parametrize(
    "task",
    [
        TaskRequest(new_id(), "make_coffee"),
        TaskRequest(new_id(), "resize", {"memory": "much"}),
        TaskRequest(new_id(), "create_users", {"users": 1}),
        TaskRequest("../x", "stop"),
    ],
    ids=["unknown", "malformed", "not a list", "no id"],
)
def test_nonsense_is_answered(run_agent: Callable[[], AgentProcess], task: TaskRequest) -> None:
    (answer,) = run_agent().do(task)
    assert answer.error_kind == "invalid"
    assert answer.id == task.id


def test_whatever_else_goes_wrong_is_answered_too(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    accounts.errors = [ZeroDivisionError("oops"), OSError(28, "No space left on device")]
    process = run_agent()
    (answer,) = process.do(task_of("disable_root"))
    assert (answer.error, answer.error_kind) == ("ZeroDivisionError: oops", "failed")
    answer = process.do(task_of("disable_root"))[-1]
    assert "No space left on device; the volume is full" in str(answer.error)


def test_patience_ends(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DisableRoot, "patience", -1.0)
    accounts.errors = [Unavailable("down")]
    (answer,) = run_agent().do(task_of("disable_root"))
    assert answer.error_kind == "unavailable"


def test_an_agent_that_stops_leaves_its_task_to_the_next_life(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    process, task = run_agent(), task_of("disable_root")
    process.closing.set()
    accounts.errors = [Unavailable("the engine is stopping")]
    assert process.do(task) == []
    (answer,) = run_agent().do(task)
    assert answer.error is None


def test_a_full_disk_keeps_no_answer_back(
    run_agent: Callable[[], AgentProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = run_agent()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(process.worker._journal, "succeed", full)
    monkeypatch.setattr(process.worker._journal, "fail", full)
    assert len(process.do(task_of("diagnose"))) == 1
    assert len(process.do(task_of("make_coffee"))) == 2


def test_an_id_that_was_refused_can_be_acknowledged(run_agent: Callable[[], AgentProcess]) -> None:
    process = run_agent()
    refused = process.do(TaskRequest("../x", "stop"))
    process.worker.acknowledge(Batch(refused, [], None))
    assert process.worker.busy() == []


def test_it_works_on_its_own(run_agent: Callable[[], AgentProcess]) -> None:
    process = run_agent()
    process.worker.start()
    process.worker.take([task_of("diagnose")])
    assert process.outbox.news.wait(10)
    assert len(process.outbox.batch().results) == 1


def test_a_certificate_is_renewed(
    run_agent: Callable[[], AgentProcess], driver: MemoryDriver
) -> None:
    process = run_agent()
    process.engine.bring_up()
    driver.calls.clear()
    process.guest.renew_certificate()
    assert driver.calls == ["reload"]
    assert process.directory.state.renew_at is not None


def test_an_engine_without_accounts_or_tls_is_prepared(
    directory: Path, driver: MemoryDriver
) -> None:
    bare = Datastore(manifest_of("postgresql"), driver=lambda spec: driver)
    process = AgentProcess(directory, driver, MemoryAccounts(), bare)
    (result,) = process.do(task_of("prepare"))
    assert (result.error, process.certified) == (None, [])
    assert driver.calls == ["prepare", "configure", "start"]
    (refused,) = process.do(task_of("create_users", users=[{"name": "ann"}]))[-1:]
    assert refused.error is not None
    assert "no users" in refused.error


@pytest.mark.parametrize("session", [postgresql, mariadb])
def test_the_api_hears_of_a_lock_before_it_gives_up(session: ModuleType) -> None:
    """The last try may begin when patience is all but at its end."""
    longest = USUAL_PATIENCE + worker.PAUSE + session.LOCK_SECONDS
    assert longest < TimingSettings().agent_call_low_timeout - 1


def settled(process: AgentProcess) -> dict[str, str | None]:
    """Which results are to be sent, and their kinds of error."""
    return {result.id: result.error_kind for result in process.outbox.batch().results}


def acknowledge(process: AgentProcess) -> None:
    batch = process.outbox.batch()
    process.worker.acknowledge(batch)
    process.outbox.acknowledge(batch)


def test_what_is_withdrawn_before_it_begins_is_not_done(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    process, task = run_agent(), task_of("create_databases", databases=[{"name": "a"}])
    process.worker.take([task])
    process.worker.withdraw([task.id])
    process.worker.withdraw([task.id])
    assert process.worker.busy() == []
    assert process.worker.settling() == [task.id]
    process.worker.take([task])
    process.worker.do_all()
    assert accounts.databases == []
    assert settled(process) == {task.id: "late"}
    # Not by the next process either, for which the queue is empty and the journal is not.
    later = run_agent()
    assert settled(later) == {task.id: "late"}
    later.do(task)
    assert accounts.databases == []
    acknowledge(process)
    assert process.worker.settling() == []


def test_what_was_withdrawn_and_is_not_there_never_began(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    process, task = run_agent(), task_of("create_databases", databases=[{"name": "a"}])
    process.worker.withdraw([task.id])
    assert settled(process) == {task.id: "late"}
    assert process.worker.settling() == [task.id]
    acknowledge(process)
    assert (process.worker.settling(), settled(process)) == ([], {})


def test_what_is_withdrawn_meanwhile_is_retried_no_more(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {Unavailable("down"): "unavailable", Failed("broken"): "failed"}
    for error, kind in expected.items():
        process, task = run_agent(), task_of("disable_root")
        root = WithdrawnRoot(accounts, process.worker, task.id, error)
        monkeypatch.setattr(process.engine.parts, "root", root)
        (result,) = process.do(task)
        assert (result.id, result.error_kind, root.attempts) == (task.id, kind, 1)
        assert process.worker.busy() == []
        acknowledge(process)


def test_what_succeeds_although_it_was_withdrawn_is_reported(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    process, task = run_agent(), task_of("create_databases", databases=[{"name": "a"}])
    create = process.engine.parts.databases.create

    def create_when_withdrawn(databases: Sequence[DatabaseAccount]) -> None:
        process.worker.withdraw([task.id])
        create(databases)

    process.engine.parts.databases.create = create_when_withdrawn  # type: ignore[method-assign]
    (result,) = process.do(task)
    assert (result.error, accounts.databases) == (None, ["a"])
    assert process.worker.settling() == [task.id]


def test_a_result_is_reported_again_when_its_task_is_withdrawn(
    run_agent: Callable[[], AgentProcess],
) -> None:
    process, task = run_agent(), task_of("diagnose")
    process.do(task)
    acknowledge(process)
    assert settled(process) == {}
    process.worker.withdraw([task.id])
    assert settled(process) == {task.id: None}
    assert process.worker.busy() == []


def test_what_an_earlier_process_left_half_done_is_unknown_when_it_is_withdrawn(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts
) -> None:
    task = task_of("create_databases", databases=[{"name": "a"}])
    accounts.errors = [Killed()]
    with pytest.raises(Killed):
        run_agent().do(task)
    process = run_agent()
    assert settled(process) == {}
    process.worker.withdraw([task.id])
    assert settled(process) == {task.id: "unknown"}
    # From now on it is not done, whatever arrives late.
    accounts.databases.clear()
    process.do(task)
    assert accounts.databases == []


class Hands:
    """The clock of the machine."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(worker, "now", made)
    return made


def limited(seconds: float) -> TaskRequest:
    task = task_of("create_databases", databases=[{"name": "a"}])
    task.begin_within = seconds
    return task


@pytest.mark.parametrize("is_swept", [True, False])
def test_what_is_late_in_the_queue_is_dropped(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, hands: Hands, is_swept: bool
) -> None:
    process, task = run_agent(), limited(9)
    process.worker.take([task])
    process.worker.drop_late()
    assert settled(process) == {}
    hands.at += 9
    if is_swept:
        # Before its turn, so that its caller learns of it while the lane is busy.
        process.worker.drop_late()
        assert settled(process) == {task.id: "late"}
    process.worker.do_all()
    assert settled(process) == {task.id: "late"}
    assert accounts.databases == []


def test_time_counts_from_the_call(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, hands: Hands
) -> None:
    """A process that was stopped reads an answer that has waited for it."""
    process, task = run_agent(), limited(9)
    process.worker.take([task], called_at=hands.at - 60)
    process.worker.do_all()
    assert (settled(process), accounts.databases) == ({task.id: "late"}, [])


def test_what_was_late_is_done_when_it_is_sent_again(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, hands: Hands
) -> None:
    process, task = run_agent(), limited(9)
    process.worker.take([task])
    hands.at += 9
    process.worker.drop_late()
    acknowledge(process)
    assert process.worker.busy() == []
    (result,) = process.do(task)
    assert (result.error, accounts.databases) == (None, ["a"])
    # The next process reports it, for it was not this result that arrived.
    assert settled(run_agent()) == {task.id: None}


def test_no_attempt_of_a_request_begins_after_its_deadline(
    run_agent: Callable[[], AgentProcess], accounts: MemoryAccounts, hands: Hands
) -> None:
    process, task = run_agent(), task_of("disable_root")
    task.begin_within = 5.0

    def fail_slowly() -> None:
        hands.at += 3
        raise Unavailable("locked")

    process.engine.parts.root.disable = fail_slowly  # type: ignore[method-assign]
    (result,) = process.do(task)
    assert (result.error, hands.at) == ("locked", 1006.0)


def test_the_task_of_an_operation_keeps_its_patience(
    run_agent: Callable[[], AgentProcess], driver: MemoryDriver, hands: Hands
) -> None:
    process, task = run_agent(), task_of("restart")
    task.begin_within = 1.0
    tries = 0

    def fail_first() -> None:
        nonlocal tries
        tries, hands.at = tries + 1, hands.at + 2
        if tries == 1:
            raise Unavailable("not yet")

    driver.start = fail_first  # type: ignore[method-assign]
    (result,) = process.do(task)
    assert (result.error, tries) == (None, 2)


def test_what_is_refused_after_it_was_withdrawn_keeps_its_first_answer(
    run_agent: Callable[[], AgentProcess],
) -> None:
    process, task = run_agent(), task_of("make_coffee")
    process.worker.take([task])
    process.worker.withdraw([task.id])
    process.worker.do_all()
    assert settled(process) == {task.id: "late"}


def test_the_clock_runs_while_the_machine_sleeps() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= worker.now() <= time.clock_gettime(time.CLOCK_BOOTTIME)
