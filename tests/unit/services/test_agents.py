"""Enrolment, reports, tasks and answers, on a real metadata database."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from tests.support import agents as rig
from tests.support.agents import add_instance, add_operation, agent_row, ask, invite, task_row
from trove.db import Database, new_id
from trove.engine import Operation, State
from trove.errors import (
    AlreadyExists,
    Failed,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from trove.models import Agent, Instance, Task
from trove.models.agent import digest_of, enrolment_token_of
from trove.models.agent import invite as invite_agent
from trove.models.event import Event
from trove.models.task import dispatch
from trove.protocol import (
    Account,
    Accounts,
    EngineState,
    EnrolRequest,
    Report,
    SyncRequest,
    TaskProgress,
    TaskResult,
)
from trove.services import agents
from trove.services.installation import Installation
from trove.testing import ManualClock
from trove.vault import Vault

CREDENTIAL = "c" * 43


@pytest.fixture
def around(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """On each of the three metadata databases."""
    installation = rig.installation_in(tmp_path, database_url)
    yield installation
    installation.database.dispose()


@pytest.fixture
def instance(around: Installation) -> str:
    return add_instance(around)


def enrol(around: Installation, **fields: Any) -> agents.Enrolled:
    with around.database.begin() as session:
        return agents.enrol(session, EnrolRequest(**fields), around.clock)


def receive(around: Installation, instance_id: str, **fields: Any) -> None:
    request = SyncRequest(**{"report": Report(), **fields})
    with around.database.begin() as session:
        agents.receive(session, instance_id, request, around.clock)


def orders(around: Installation, instance_id: str, **options: Any) -> list[str]:
    with around.database.session() as session:
        told = agents.pending_tasks_of(session, around.vault, instance_id, around.clock, **options)
        return [order.id for order in told]


def test_a_token_is_good_once(around: Installation, instance: str) -> None:
    token = invite(around, instance)
    enrolled = enrol(around, token=token, agent_version="1.2")
    assert enrolled.instance_id == instance
    row = agent_row(around, instance)
    assert row.credential_digest == digest_of(enrolled.credential)
    assert (row.enrolment_digest, row.version, row.protocol) == (None, "1.2", 1)
    with pytest.raises(Unauthenticated):
        enrol(around, token=token)
    assert agent_row(around, instance).credential_digest == digest_of(enrolled.credential)


def test_the_token_is_the_same_each_time_and_opens_again_when_invited_again(
    around: Installation, instance: str
) -> None:
    assert invite(around, instance) == (token := invite(around, instance))
    enrol(around, token=token, credential=CREDENTIAL)
    invite(around, instance)
    assert enrol(around, token=token, credential="d" * 43).credential == "d" * 43


def test_a_lost_answer_costs_nothing(around: Installation, instance: str) -> None:
    token = invite(around, instance)
    first = enrol(around, token=token, credential=CREDENTIAL)
    assert enrol(around, token=token, credential=CREDENTIAL) == first
    with pytest.raises(Unauthenticated):
        enrol(around, token=token, credential="e" * 43)


def test_of_many_who_show_one_token_one_is_let_in(around: Installation, instance: str) -> None:
    token, let_in = invite(around, instance), []
    ready = threading.Barrier(6)

    def attempt(number: int) -> None:
        ready.wait()
        with contextlib.suppress(Unauthenticated):
            let_in.append(enrol(around, token=token, credential=f"{number}" * 40).credential)

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 1
    assert agent_row(around, instance).credential_digest == digest_of(let_in[0])


def test_a_token_that_is_spent_meanwhile_lets_nobody_in(
    around: Installation, instance: str
) -> None:
    request = EnrolRequest(token=invite(around, instance))
    with around.database.begin() as session:
        session.get_one(Agent, instance).enrolment_digest = None
        session.flush()
        assert not agents._spend(session, instance, request, CREDENTIAL)


def test_a_token_grows_old(tmp_path: Path, around: Installation, instance: str) -> None:
    clock = ManualClock()
    with around.database.begin() as session:
        invite_agent(session, around.vault, instance, clock=clock, seconds=60)
    token = enrolment_token_of(around.vault, instance)
    clock.advance(60)
    with around.database.begin() as session, pytest.raises(Unauthenticated):
        agents.enrol(session, EnrolRequest(token), clock)
    clock.advance(-1)
    with around.database.begin() as session:
        assert agents.enrol(session, EnrolRequest(token), clock).instance_id == instance


def test_a_weak_credential_is_refused(around: Installation, instance: str) -> None:
    with pytest.raises(Invalid, match="credential"):
        enrol(around, token=invite(around, instance), credential="short")


def test_a_credential_leads_to_its_own_instance(around: Installation, instance: str) -> None:
    other = add_instance(around)
    for owner, credential in ((instance, CREDENTIAL), (other, "o" * 43)):
        enrol(around, token=invite(around, owner), credential=credential)
    with around.database.session() as session:
        assert agents.identify(session, CREDENTIAL) == instance
        assert agents.identify(session, "o" * 43) == other
        with pytest.raises(Unauthenticated):
            agents.identify(session, "nobody's")


def test_the_agent_of_a_deleted_instance_is_told_so(around: Installation, instance: str) -> None:
    token = invite(around, instance)
    enrol(around, token=token, credential=CREDENTIAL)
    with around.database.begin() as session:
        row = session.get_one(Instance, instance)
        row.deleted_at = around.clock.now(session)
    with around.database.session() as session, pytest.raises(NotFound, match=instance):
        agents.identify(session, CREDENTIAL)
    with pytest.raises(NotFound):
        enrol(around, token=token, credential=CREDENTIAL)


def test_the_agent_of_an_instance_that_is_being_deleted_is_told_so(
    around: Installation, instance: str
) -> None:
    token = invite(around, instance)
    enrol(around, token=token, credential=CREDENTIAL)
    operation_id = add_operation(around, instance)
    with around.database.session() as session:
        assert agents.identify(session, CREDENTIAL) == instance
    with around.database.begin() as session:
        session.get_one(Operation, operation_id).workflow = "instance.delete"
    with around.database.session() as session, pytest.raises(NotFound, match="stop for good"):
        agents.identify(session, CREDENTIAL)


def test_a_report_is_kept(around: Installation, instance: str) -> None:
    invite(around, instance)
    accounts = Accounts(users=[Account("u", password="must not be kept")])
    report = Report(EngineState.FAILED, "15.2", 0.5, 1.0, accounts, "e" * 5000, details={"load": 1})
    receive(around, instance, report=report, agent_version="v" * 100)
    row = agent_row(around, instance)
    assert (row.engine_state, row.engine_version, row.volume_used) == ("failed", "15.2", 0.5)
    assert row.details == {"load": 1, "volume_total": 1.0, "error": "e" * 4000}
    assert row.accounts == {"databases": [], "users": [{"name": "u"}], "root_enabled": False}
    assert row.version == "v" * 64
    with around.database.session() as session:
        now = around.clock.now(session)
    assert row.reported_at is not None
    assert timedelta(0) <= now - row.reported_at < timedelta(seconds=20)
    receive(around, instance, report=Report("a state of a release to come, told at length"))
    assert agent_row(around, instance).engine_state == "a state of a release to come, to"
    receive(around, instance, report=Report(EngineState.RUNNING))
    row = agent_row(around, instance)
    assert (row.engine_state, row.details) == ("running", {})
    assert row.accounts["users"] == [{"name": "u"}]


def test_a_report_is_one_update(around: Installation, instance: str) -> None:
    from sqlalchemy import event

    invite(around, instance)
    written: list[str] = []
    event.listen(
        around.database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *_: written.append(statement),
    )
    receive(around, instance, report=Report(EngineState.RUNNING))
    assert [s.split()[0] for s in written] == ["UPDATE"]


def test_a_flood_costs_no_more_than_there_are_tasks(around: Installation, instance: str) -> None:
    """Whoever has taken over a guest may say anything, as often as one message holds."""
    from sqlalchemy import event

    invite(around, instance)
    task_id = ask(around, instance, "grant", name="bob")
    written: list[str] = []
    event.listen(
        around.database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *_: written.append(statement.split()[0]),
    )
    noise = [TaskResult(new_id(), {"n": n}) for n in range(500)]
    receive(
        around,
        instance,
        report=Report(details={"x": "y" * 20_000}),
        progress=[TaskProgress(task_id, n / 500) for n in range(500)],
        results=[*noise, *(TaskResult(task_id, {"n": n}) for n in range(500))],
    )
    assert written.count("UPDATE") == 3
    assert task_row(around, task_id).result == {"n": 0}
    assert agent_row(around, instance).details == {}


def test_orders_are_opened_in_their_order(around: Installation, instance: str) -> None:
    other = add_instance(around)
    first = ask(around, instance, "grant", name="bob")
    second = ask(around, instance, "stop")
    ask(around, other, "start")
    assert orders(around, instance) == [first, second]
    assert orders(around, instance, busy=[first]) == [second]
    with around.database.session() as session:
        handed = agents.pending_tasks_of(session, around.vault, instance, around.clock)[0]
        assert len(agents.open_tasks(session)) == 3
        assert (instance, first) in agents.open_tasks(session)
    assert (handed.kind, handed.args) == ("grant", {"name": "bob"})
    assert "bob" not in task_row(around, first).sealed_args


def test_a_task_that_was_sealed_with_another_key_fails_and_the_others_are_told(
    around: Installation, instance: str
) -> None:
    operation_id = add_operation(around, instance)
    other_key = Vault(Fernet.generate_key())
    with around.database.begin() as session:
        sealed = other_key.seal({})
        lost = dispatch(
            session,
            instance,
            "prepare",
            sealed=sealed,
            operation=session.get_one(Operation, operation_id),
        ).id
    kept = ask(around, instance, "stop")
    with around.database.begin() as session:
        told = agents.pending_tasks_of(session, around.vault, instance, around.clock)
    assert [task.id for task in told] == [kept]
    task = task_row(around, lost)
    assert task.answered
    with pytest.raises(Failed, match="check that every service has the same"):
        agents.raise_for(task)


def test_the_first_answer_stands_and_wakes_the_operation(
    around: Installation, instance: str
) -> None:
    operation_id = add_operation(around, instance)
    with around.database.begin() as session:
        task_id = dispatch(
            session, instance, "prepare", operation=session.get_one(Operation, operation_id)
        ).id
    receive(around, instance, progress=[TaskProgress(task_id, 7.0, "half"), TaskProgress("x")])
    task = task_row(around, task_id)
    assert (task.progress, task.note, task.answered) == (1.0, "half", False)
    receive(around, instance, results=[TaskResult(task_id, {"n": 1})])
    receive(around, instance, results=[TaskResult(task_id, None, "late", "failed")])
    receive(around, instance, progress=[TaskProgress(task_id, 0.5)])
    task = task_row(around, task_id)
    assert (task.answered, task.result, task.error, task.progress) == (True, {"n": 1}, None, 1.0)
    assert task.answered_at is not None
    with around.database.session() as session:
        assert session.get_one(Operation, operation_id).wakeups == 1
        assert agents.open_tasks(session) == []


def test_two_answers_at_the_same_moment(
    around: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one has seen the task open, and comes too late all the same."""
    with around.database.begin() as session:
        task_id = dispatch(session, instance, "restart").id
    receive(around, instance, results=[TaskResult(task_id, {"n": 1})])
    monkeypatch.setattr(agents, "_pending", lambda _: select(Task.id))
    receive(around, instance, results=[TaskResult(task_id, {"n": 2})])
    assert task_row(around, task_id).result == {"n": 1}


def test_another_agent_answers_nothing(around: Installation, instance: str) -> None:
    task_id = ask(around, instance, "stop")
    receive(around, add_instance(around), results=[TaskResult(task_id, {})])
    assert not task_row(around, task_id).answered


def test_the_tasks_of_an_ended_operation_are_neither_given_nor_heard(
    around: Installation, instance: str
) -> None:
    operation_id = add_operation(around, instance)
    with around.database.begin() as session:
        task_id = dispatch(
            session, instance, "stop", operation=session.get_one(Operation, operation_id)
        ).id
    assert orders(around, instance) == [task_id]
    with around.database.begin() as session:
        session.get_one(Operation, operation_id).state = State.SUPERSEDED
    assert orders(around, instance) == []
    receive(around, instance, results=[TaskResult(task_id, {})])
    with around.database.session() as session:
        operation = session.get_one(Operation, operation_id)
        assert (operation.wakeups, operation.state) == (0, State.SUPERSEDED)


def test_an_answer_is_waited_for(around: Installation, instance: str) -> None:
    task_id = ask(around, instance, "enable_root", password="p")
    answering = threading.Timer(
        0.1, receive, (around, instance), {"results": [TaskResult(task_id, {"name": "root"})]}
    )
    answering.start()
    task = agents.await_answer(around.database, task_id, 20)
    answering.join()
    assert task.result == {"name": "root"}
    assert task.sealed_args == ""
    agents.raise_for(task)


def test_what_is_not_answered_in_time_is_withdrawn(around: Installation, instance: str) -> None:
    task_id = ask(around, instance, "stop")
    task = agents.await_answer(around.database, task_id, 0.05)
    assert task.answered
    assert task.sealed_args == ""
    with pytest.raises(Unavailable, match="did not answer within 0.05 seconds"):
        agents.raise_for(task)
    assert orders(around, instance) == []
    receive(around, instance, results=[TaskResult(task_id, {})])
    assert task_row(around, task_id).error_kind == "unavailable"


def told(around: Installation, instance: str) -> list[tuple[str, str]]:
    """Of what failed: (kind of event, error)."""
    with around.database.session() as session:
        found = session.scalars(select(Event).where(Event.subject_id == instance))
        return [(event.kind, event.payload["error"]) for event in found]


def test_a_request_that_an_agent_refuses_is_told_of(around: Installation, instance: str) -> None:
    refused, done = ask(around, instance, "grant"), ask(around, instance, "revoke")
    results = [TaskResult(refused, error="no", error_kind="invalid"), TaskResult(done, {})]
    receive(around, instance, results=[*results, *results])
    assert told(around, instance) == [("user.grant.error", "no")]
    agents.await_answer(around.database, ask(around, instance, "create_databases"), 0)
    kind, error = told(around, instance)[-1]
    assert (kind, "did not answer" in error) == ("database.create.error", True)


def test_an_answer_of_the_last_moment_counts(
    around: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = ask(around, instance, "stop")
    begin = Database.begin

    def answer_first(database: Database) -> object:
        monkeypatch.setattr(Database, "begin", begin)
        receive(around, instance, results=[TaskResult(task_id, {"just": "so"})])
        return begin(database)

    monkeypatch.setattr(Database, "begin", answer_first)
    task = agents.await_answer(around.database, task_id, 0)
    assert (task.result, task.error) == ({"just": "so"}, None)


def test_there_is_no_answer_to_no_question(around: Installation) -> None:
    with pytest.raises(NotFound):
        agents.await_answer(around.database, new_id(), 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("invalid", Invalid),
        ("exists", AlreadyExists),
        ("not_found", NotFound),
        ("unavailable", Unavailable),
        ("failed", Failed),
        ("of a later release", Failed),
        (None, Failed),
    ],
)
def test_an_error_becomes_the_right_one(kind: str | None, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="why") as caught:
        agents.raise_for(Task(id="t", error="why", error_kind=kind))
    assert type(caught.value) is expected


def test_what_nothing_waits_for_is_withdrawn(around: Installation, instance: str) -> None:
    operation_id = add_operation(around, instance)
    with around.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        forward = dispatch(session, instance, "resize", operation=operation).id
        operation.state = State.UNDOING
        back = dispatch(session, instance, "resize", operation=operation, key="back").id
    request, unknown = ask(around, instance, "grant"), new_id()
    busy = [forward, back, request, unknown]
    with around.database.session() as session:
        assert agents.withdrawn_of(session, instance, busy) == sorted([forward, unknown])
        assert agents.withdrawn_of(session, instance, []) == []
    assert set(orders(around, instance)) == {back, request}


def test_a_task_of_another_release_fails_without_an_event(
    around: Installation, instance: str
) -> None:
    receive(around, instance, results=[TaskResult(ask(around, instance, "of_later"), error="no")])
    assert told(around, instance) == []
