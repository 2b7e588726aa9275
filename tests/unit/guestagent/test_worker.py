"""Tasks are done in order, once, and whatever becomes of them is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
from trove.protocol import CertificateAnswer, TaskRequest, TaskResult
from trove.protocol.tasks import USUAL_PATIENCE, DisableRoot
from trove.settings import TimingSettings


class Killed(BaseException):
    """The agent's process dies here."""


class Life:
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

    def do(self, *orders: TaskRequest) -> list[TaskResult]:
        """What is to be told after these."""
        self.worker.take(orders)
        self.worker.do_all()
        return self.outbox.batch().results


@pytest.fixture
def live(directory: Path, driver: MemoryDriver, accounts: MemoryAccounts) -> Callable[[], Life]:
    return lambda: Life(directory, driver, accounts)


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


def order(kind: str, **args: Any) -> TaskRequest:
    return TaskRequest(new_id(), kind, args)


def test_a_task_given_twice_is_done_once(
    live: Callable[[], Life], accounts: MemoryAccounts
) -> None:
    life, task = live(), order("create_databases", databases=[{"name": "a"}])
    (first,) = life.do(task)
    assert first.error is None
    assert accounts.databases == ["a"]
    assert life.do(task) == [first]
    assert life.worker.busy() == [task.id]
    life.worker.acknowledge(Batch([first], [], None))
    life.outbox.acknowledge(Batch([first], [], None))
    assert life.worker.busy() == []
    assert life.do(task) == [first]
    assert live().outbox.batch().results == []


def test_what_was_not_told_is_told_by_the_next_life(live: Callable[[], Life]) -> None:
    task = order("diagnose")
    told = live().do(task)
    assert live().outbox.batch().results == told
    assert live().worker.busy() == [task.id]


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("create_databases", {"databases": [{"name": "new"}, {"name": "newer"}]}),
    ("delete_database", {"name": "old"}),
    ("create_users", {"users": [{"name": "ann", "password": "p", "databases": ["old"]}]}),
    ("update_user", {"name": "bob", "new_name": "rob", "new_password": "x"}),
    ("update_user", {"name": "bob", "new_password": "x"}),
    ("change_passwords", {"users": [{"name": "bob", "password": "q"}]}),
    ("delete_user", {"name": "bob"}),
    ("grant", {"name": "bob", "databases": ["old"]}),
    ("revoke", {"name": "bob", "database": "mine"}),
    ("enable_root", {"password": "r"}),
    ("disable_root", {}),
]


def fill(accounts: MemoryAccounts) -> None:
    from trove.protocol import Account

    accounts.databases[:] = ["old", "mine"]
    accounts.users.clear()
    accounts.users["bob"] = Account("bob", databases=["mine"], password="b")


@pytest.mark.parametrize(("kind", "args"), CHANGES, ids=lambda part: str(part)[:20])
def test_a_change_that_a_death_or_a_break_interrupted_is_done_once(
    live: Callable[[], Life], accounts: MemoryAccounts, kind: str, args: dict[str, Any]
) -> None:
    """The death comes right after the effect, before anybody could write it down."""
    fill(accounts)
    (once,) = live().do(order(kind, **args))
    expected = (accounts.databases[:], accounts.read(), accounts.root)
    assert once.error is None
    errors: list[BaseException] = [Killed(), Unavailable("connection lost")]
    for error in errors:
        fill(accounts)
        accounts.root = None
        accounts.errors = [error]
        task = order(kind, **args)
        try:
            (answer,) = live().do(task)[-1:]
        except Killed:
            (answer,) = live().do(task)[-1:]
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
    live: Callable[[], Life], accounts: MemoryAccounts, kind: str, args: dict[str, Any]
) -> None:
    fill(accounts)
    task = order(kind, **args)
    life = live()
    entry = life.worker._journal.take(task)
    handler = handler_of(kind)
    life.worker._attempt(entry, handler, typed(handler, args))
    (answer,) = live().do(task)
    assert answer.error_kind == "exists"
    assert accounts.users["bob"].password == "b"
    assert live().do(order(kind, **args))[-1].error_kind == "exists"


def test_missing_things_are_missing(live: Callable[[], Life], accounts: MemoryAccounts) -> None:
    (answer,) = live().do(order("delete_database", name="nowhere"))
    assert answer.error_kind == "not_found"


def test_prepare_makes_everything_and_may_be_repeated(
    live: Callable[[], Life], accounts: MemoryAccounts, driver: MemoryDriver, directory: Path
) -> None:
    args: dict[str, Any] = {
        "memory": 512,
        "vcpus": 2,
        "databases": [{"name": "app"}],
        "users": [{"name": "bob", "password": "b", "databases": ["app"]}],
        "root_password": "r",
    }
    life = live()
    (answer,) = life.do(order("prepare", **args))
    assert answer.error is None
    assert answer.result is not None
    assert answer.result["engine_version"] == "15.2"
    assert answer.result["accounts"]["root_enabled"]
    assert driver.calls == ["prepare", "configure", "start"]
    assert "BEGIN CERTIFICATE REQUEST" in life.certified[0]
    assert (directory / "config" / "server.crt").read_text() == "certificate"
    assert (directory / "config" / "ca.crt").read_text() == "authority"
    assert "PRIVATE KEY" in (directory / "config" / "server.key").read_text()
    accounts.users["bob"].password = "changed meanwhile"
    (_, again) = live().do(order("prepare", **args))
    assert again.result == answer.result
    assert accounts.users["bob"].password == "b"
    assert [p.note for p in life.outbox.batch().progress] == []
    (plain,) = Life(directory, driver, accounts).do(order("prepare"))[-1:]
    assert plain.error is None


def test_engine_tasks(
    live: Callable[[], Life], driver: MemoryDriver, agent_directory: AgentDirectory
) -> None:
    life = live()
    for kind in ("start", "restart", "stop"):
        (answer,) = life.do(order(kind))[-1:]
        assert answer.result == {}
    assert driver.calls == ["configure", "start", "stop", "configure", "start", "stop"]
    (answer,) = life.do(order("resize", memory=512, vcpus=3))[-1:]
    assert answer.result == {}
    (answer,) = life.do(order("diagnose"))[-1:]
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
def test_nonsense_is_answered(live: Callable[[], Life], task: TaskRequest) -> None:
    (answer,) = live().do(task)
    assert answer.error_kind == "invalid"
    assert answer.id == task.id


def test_whatever_else_goes_wrong_is_answered_too(
    live: Callable[[], Life], accounts: MemoryAccounts
) -> None:
    accounts.errors = [ZeroDivisionError("oops"), OSError(28, "No space left on device")]
    life = live()
    (answer,) = life.do(order("disable_root"))
    assert (answer.error, answer.error_kind) == ("ZeroDivisionError: oops", "failed")
    answer = life.do(order("disable_root"))[-1]
    assert "No space left on device; the volume is full" in str(answer.error)


def test_patience_ends(
    live: Callable[[], Life], accounts: MemoryAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DisableRoot, "patience", -1.0)
    accounts.errors = [Unavailable("down")]
    (answer,) = live().do(order("disable_root"))
    assert answer.error_kind == "unavailable"


def test_an_agent_that_stops_leaves_its_task_to_the_next_life(
    live: Callable[[], Life], accounts: MemoryAccounts
) -> None:
    life, task = live(), order("disable_root")
    life.closing.set()
    accounts.errors = [Unavailable("the engine is stopping")]
    assert life.do(task) == []
    (answer,) = live().do(task)
    assert answer.error is None


def test_a_full_disk_keeps_no_answer_back(
    live: Callable[[], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = live()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(life.worker._journal, "succeed", full)
    monkeypatch.setattr(life.worker._journal, "fail", full)
    assert len(life.do(order("diagnose"))) == 1
    assert len(life.do(order("make_coffee"))) == 2


def test_an_id_that_was_refused_can_be_acknowledged(live: Callable[[], Life]) -> None:
    life = live()
    refused = life.do(TaskRequest("../x", "stop"))
    life.worker.acknowledge(Batch(refused, [], None))
    assert life.worker.busy() == []


def test_it_works_on_its_own(live: Callable[[], Life]) -> None:
    life = live()
    life.worker.start()
    life.worker.take([order("diagnose")])
    assert life.outbox.news.wait(10)
    assert len(life.outbox.batch().results) == 1


def test_a_certificate_is_renewed(live: Callable[[], Life], driver: MemoryDriver) -> None:
    life = live()
    life.engine.bring_up()
    driver.calls.clear()
    life.guest.renew_certificate()
    assert driver.calls == ["reload"]
    assert life.directory.state.renew_at is not None


def test_an_engine_without_accounts_or_tls_is_prepared(
    directory: Path, driver: MemoryDriver
) -> None:
    bare = Datastore(manifest_of("postgresql"), driver=lambda spec: driver)
    life = Life(directory, driver, MemoryAccounts(), bare)
    (result,) = life.do(order("prepare"))
    assert (result.error, life.certified) == (None, [])
    assert driver.calls == ["prepare", "configure", "start"]
    (refused,) = life.do(order("create_users", users=[{"name": "ann"}]))[-1:]
    assert refused.error is not None
    assert "no users" in refused.error


@pytest.mark.parametrize("session", [postgresql, mariadb])
def test_the_api_hears_of_a_lock_before_it_gives_up(session: ModuleType) -> None:
    """The last try may begin when patience is all but at its end."""
    longest = USUAL_PATIENCE + worker.PAUSE + session.LOCK_SECONDS
    assert longest < TimingSettings().agent_call_low_timeout - 1


def test_what_is_withdrawn_before_it_begins_is_not_done(
    live: Callable[[], Life], accounts: MemoryAccounts
) -> None:
    life, task = live(), order("create_databases", databases=[{"name": "a"}])
    life.worker.take([task])
    life.worker.withdraw([task.id, new_id()])
    assert life.worker.busy() == []
    life.worker.take([task])
    life.worker.do_all()
    assert accounts.databases == []
    assert life.outbox.batch().results == []
    assert live().outbox.batch().results == []


def test_what_is_withdrawn_meanwhile_is_retried_no_more_and_not_reported(
    live: Callable[[], Life], accounts: MemoryAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (Unavailable("down"), Failed("broken")):
        life, task = live(), order("disable_root")
        root = WithdrawnRoot(accounts, life.worker, task.id, error)
        monkeypatch.setattr(life.engine.parts, "root", root)
        assert life.do(task) == []
        assert root.attempts == 1
        assert life.worker.busy() == []


def test_a_result_that_is_not_needed_any_more_is_forgotten(live: Callable[[], Life]) -> None:
    life, task = live(), order("diagnose")
    life.do(task)
    life.worker.withdraw([task.id])
    assert life.worker.busy() == []
    assert live().outbox.batch().results == []
