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
from tests.support.agents import (
    add_instance,
    add_operation,
    agent_row,
    dispatch_task,
    invite,
    task_row,
)
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
from trove.services import agent_reports, agents
from trove.services.installation import Installation
from trove.services.senders import identify
from trove.testing import ManualClock
from trove.vault import Vault

CREDENTIAL = "c" * 43


@pytest.fixture
def installation(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """On each of the three metadata databases."""
    made = rig.installation_in(tmp_path, database_url)
    yield made
    made.database.dispose()


@pytest.fixture
def instance(installation: Installation) -> str:
    return add_instance(installation)


def enrol(installation: Installation, **fields: Any) -> agents.Enrolled:
    with installation.database.begin() as session:
        return agents.enrol(session, EnrolRequest(**fields), installation.clock)


def receive(installation: Installation, instance_id: str, **fields: Any) -> None:
    request = SyncRequest(**{"report": Report(), **fields})
    with installation.database.begin() as session:
        agent_reports.keep_report(session, instance_id, request, installation.clock)
        agents.receive(session, instance_id, request, installation.clock)


def pending_ids(installation: Installation, instance_id: str, **options: Any) -> list[str]:
    with installation.database.begin() as session:
        tasks, _ = agents.answer_of(
            session, installation.vault, instance_id, installation.clock, **options
        )
        return [task.id for task in tasks]


def withdrawn(installation: Installation, instance_id: str, **options: Any) -> list[str]:
    with installation.database.begin() as session:
        return agents.answer_of(
            session, installation.vault, instance_id, installation.clock, **options
        )[1]


def demand(
    installation: Installation, instance_id: str, kind: str = "grant", left: float = 60
) -> str:
    """The task of a request, which may begin for so many seconds yet; its id."""
    with installation.database.begin() as session:
        expiry = installation.clock.now(session) + timedelta(seconds=left)
        return dispatch(session, instance_id, kind, expires_at=expiry).id


def test_a_token_is_good_once(installation: Installation, instance: str) -> None:
    token = invite(installation, instance)
    enrolled = enrol(installation, token=token, agent_version="1.2")
    assert enrolled.instance_id == instance
    row = agent_row(installation, instance)
    assert row.credential_digest == digest_of(enrolled.credential)
    assert (row.enrolment_digest, row.version, row.protocol) == (None, "1.2", 1)
    with pytest.raises(Unauthenticated):
        enrol(installation, token=token)
    assert agent_row(installation, instance).credential_digest == digest_of(enrolled.credential)


def test_the_token_is_the_same_each_time_and_opens_again_when_invited_again(
    installation: Installation, instance: str
) -> None:
    assert invite(installation, instance) == (token := invite(installation, instance))
    enrol(installation, token=token, credential=CREDENTIAL)
    invite(installation, instance)
    assert enrol(installation, token=token, credential="d" * 43).credential == "d" * 43


def test_a_lost_answer_costs_nothing(installation: Installation, instance: str) -> None:
    token = invite(installation, instance)
    first = enrol(installation, token=token, credential=CREDENTIAL)
    assert enrol(installation, token=token, credential=CREDENTIAL) == first
    with pytest.raises(Unauthenticated):
        enrol(installation, token=token, credential="e" * 43)


def test_of_many_who_show_one_token_one_is_let_in(
    installation: Installation, instance: str
) -> None:
    token, let_in = invite(installation, instance), []
    ready = threading.Barrier(6)

    def attempt(number: int) -> None:
        ready.wait()
        with contextlib.suppress(Unauthenticated):
            let_in.append(enrol(installation, token=token, credential=f"{number}" * 40).credential)

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 1
    assert agent_row(installation, instance).credential_digest == digest_of(let_in[0])


def test_a_token_that_is_spent_meanwhile_is_refused(
    installation: Installation, instance: str
) -> None:
    request = EnrolRequest(token=invite(installation, instance))
    with installation.database.begin() as session:
        session.get_one(Agent, instance).enrolment_digest = None
        session.flush()
        assert not agents._spend(session, instance, request, CREDENTIAL)


def test_a_token_grows_old(tmp_path: Path, installation: Installation, instance: str) -> None:
    clock = ManualClock()
    with installation.database.begin() as session:
        invite_agent(session, installation.vault, instance, clock=clock, seconds=60)
    token = enrolment_token_of(installation.vault, instance)
    clock.advance(60)
    with installation.database.begin() as session, pytest.raises(Unauthenticated):
        agents.enrol(session, EnrolRequest(token), clock)
    clock.advance(-1)
    with installation.database.begin() as session:
        assert agents.enrol(session, EnrolRequest(token), clock).instance_id == instance


def test_a_weak_credential_is_refused(installation: Installation, instance: str) -> None:
    with pytest.raises(Invalid, match="credential"):
        enrol(installation, token=invite(installation, instance), credential="short")


def test_a_credential_leads_to_its_own_instance(installation: Installation, instance: str) -> None:
    other = add_instance(installation)
    for owner, credential in ((instance, CREDENTIAL), (other, "o" * 43)):
        enrol(installation, token=invite(installation, owner), credential=credential)
    with installation.database.session() as session:
        assert identify(session, CREDENTIAL) == instance
        assert identify(session, "o" * 43) == other
        with pytest.raises(Unauthenticated):
            identify(session, "unknown")


def test_the_agent_of_a_deleted_instance_learns_so(
    installation: Installation, instance: str
) -> None:
    token = invite(installation, instance)
    enrol(installation, token=token, credential=CREDENTIAL)
    with installation.database.begin() as session:
        row = session.get_one(Instance, instance)
        row.deleted_at = installation.clock.now(session)
    with installation.database.session() as session, pytest.raises(NotFound, match=instance):
        identify(session, CREDENTIAL)
    with pytest.raises(NotFound):
        enrol(installation, token=token, credential=CREDENTIAL)


def test_the_agent_of_an_instance_that_is_being_deleted_learns_so(
    installation: Installation, instance: str
) -> None:
    token = invite(installation, instance)
    enrol(installation, token=token, credential=CREDENTIAL)
    operation_id = add_operation(installation, instance)
    with installation.database.session() as session:
        assert identify(session, CREDENTIAL) == instance
    with installation.database.begin() as session:
        session.get_one(Operation, operation_id).workflow = "instance.delete"
    with installation.database.session() as session, pytest.raises(NotFound, match="stop for good"):
        identify(session, CREDENTIAL)


def test_a_report_is_kept(installation: Installation, instance: str) -> None:
    invite(installation, instance)
    accounts = Accounts(users=[Account("u", password="must not be kept")])
    report = Report(EngineState.FAILED, "15.2", 0.5, 1.0, accounts, "e" * 5000, details={"load": 1})
    receive(installation, instance, report=report, agent_version="v" * 100)
    row = agent_row(installation, instance)
    assert (row.engine_state, row.engine_version, row.volume_used) == ("failed", "15.2", 0.5)
    assert row.details == {"load": 1, "volume_total": 1.0, "error": "e" * 4000}
    assert (row.volume_total, row.error) == (1.0, "e" * 4000)
    assert row.accounts == {"databases": [], "users": [{"name": "u"}], "root_enabled": False}
    assert row.version == "v" * 64
    with installation.database.session() as session:
        now = installation.clock.now(session)
    assert row.reported_at is not None
    assert timedelta(0) <= now - row.reported_at < timedelta(seconds=20)
    receive(installation, instance, report=Report("a state of a later release, with a long name"))
    assert agent_row(installation, instance).engine_state == "a state of a later release, with"
    receive(installation, instance, report=Report(EngineState.RUNNING))
    row = agent_row(installation, instance)
    assert (row.engine_state, row.details) == ("running", {})
    assert row.accounts["users"] == [{"name": "u"}]


def test_another_state_of_the_engine_is_an_event(installation: Installation, instance: str) -> None:
    invite(installation, instance)
    states = ["new", "running", "running", "crashed", "failed", "starting", "running", "odd"]
    for state in states:
        error = "no memory" if state == "failed" else None
        receive(installation, instance, report=Report(state, error=error))
    with installation.database.session() as session:
        events = session.scalars(select(Event).order_by(Event.id)).all()
        seen = [(event.kind, event.payload) for event in events]
    assert seen == [
        ("instance.engine.crashed", {"before": "running"}),
        ("instance.engine.failed", {"before": "crashed", "error": "no memory"}),
        ("instance.engine.running", {"before": "starting"}),
    ]
    row = agent_row(installation, instance)
    assert (row.engine_state, row.error, row.volume_total) == ("odd", None, None)


def test_of_two_reports_of_a_change_one_writes_the_event(
    installation: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(installation, instance)
    receive(installation, instance, report=Report(EngineState.RUNNING))
    monkeypatch.setattr(agent_reports, "is_changed", lambda session, statement: False)
    receive(installation, instance, report=Report(EngineState.CRASHED, **FULL))
    assert outcomes_of(installation, instance) == []


GIB: dict[str, Any] = {"volume_total": 1.0}
ALMOST, FULL = GIB | {"volume_used": 0.98}, GIB | {"volume_used": 0.99}
NO_SPACE: dict[str, Any] = {"error": "PostgreSQL: the data volume is full: no space left"}


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([GIB, ALMOST, GIB], []),
        ([{}, FULL, FULL, ALMOST, ALMOST], [("full", 0.99), ("relieved", 0.98)]),
        ([FULL, FULL | {"volume_total": 2.0}], [("full", 0.99), ("relieved", 0.99)]),
        # Where files are counted, the file system's size is not known.
        ([{}, NO_SPACE, NO_SPACE, {}], [("full", None), ("relieved", None)]),
        ([FULL, FULL | NO_SPACE, NO_SPACE, FULL], [("full", 0.99)]),
        ([{"error": "no memory"}, {}], []),
        ([{"error": "THE VOLUME IS FULL"}] * 3, [("full", None)]),
        ([{"error": "the vólume is full"}] * 3, []),
    ],
)
def test_a_volume_that_is_full_and_has_room_again_is_an_event(
    installation: Installation,
    instance: str,
    reports: list[dict[str, Any]],
    expected: list[tuple[str, float | None]],
) -> None:
    """Under an engine that runs on."""
    invite(installation, instance)
    for fields in reports:
        receive(installation, instance, report=Report(EngineState.RUNNING, **fields))
    with installation.database.session() as session:
        events = session.scalars(select(Event).order_by(Event.id)).all()
    seen = [(event.kind.rpartition(".")[2], event.payload["used"]) for event in events]
    assert seen == expected
    assert {event.kind.rpartition(".")[0] for event in events} <= {"instance.volume"}
    row = agent_row(installation, instance)
    assert (row.volume_used, row.error) == tuple(
        reports[-1].get(name) for name in ("volume_used", "error")
    )


def test_a_volume_that_fills_as_the_engine_dies_is_two_events(
    installation: Installation, instance: str
) -> None:
    invite(installation, instance)
    receive(installation, instance, report=Report(EngineState.RUNNING))
    receive(installation, instance, report=Report(EngineState.CRASHED, **FULL, **NO_SPACE))
    with installation.database.session() as session:
        events = session.scalars(select(Event).order_by(Event.id)).all()
    assert [(event.kind, event.payload) for event in events] == [
        ("instance.engine.crashed", {"before": "running"} | NO_SPACE),
        ("instance.volume.full", {"used": 0.99, "total": 1.0} | NO_SPACE),
    ]


def test_a_report_is_one_update(installation: Installation, instance: str) -> None:
    from sqlalchemy import event

    invite(installation, instance)
    written: list[str] = []
    event.listen(
        installation.database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *_: written.append(statement),
    )
    receive(installation, instance, report=Report(EngineState.RUNNING, **FULL))
    written.clear()
    for fields in (FULL, NO_SPACE):
        receive(installation, instance, report=Report(EngineState.RUNNING, **fields))
    assert [s.split()[0] for s in written] == ["UPDATE"] * 2


def test_a_flood_costs_no_more_than_there_are_tasks(
    installation: Installation, instance: str
) -> None:
    """An attacker in a guest may report anything, as often as one message holds."""
    from sqlalchemy import event

    invite(installation, instance)
    task_id = dispatch_task(installation, instance, "grant", name="bob")
    written: list[str] = []
    event.listen(
        installation.database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *_: written.append(statement.split()[0]),
    )
    noise = [TaskResult(new_id(), {"n": n}) for n in range(500)]
    receive(
        installation,
        instance,
        report=Report(details={"x": "y" * 20_000}),
        progress=[TaskProgress(task_id, n / 500) for n in range(500)],
        results=[*noise, *(TaskResult(task_id, {"n": n}) for n in range(500))],
    )
    assert written.count("UPDATE") == 3
    assert task_row(installation, task_id).result == {"n": 0}
    assert agent_row(installation, instance).details == {}


def test_tasks_are_opened_in_their_order(installation: Installation, instance: str) -> None:
    other = add_instance(installation)
    first = dispatch_task(installation, instance, "grant", name="bob")
    second = dispatch_task(installation, instance, "stop")
    dispatch_task(installation, other, "start")
    assert pending_ids(installation, instance) == [first, second]
    assert pending_ids(installation, instance, busy=[first]) == [second]
    with installation.database.session() as session:
        (handed, *_), _ = agents.answer_of(
            session, installation.vault, instance, installation.clock
        )
        assert len(agents.open_tasks(session, installation.clock)) == 3
        assert (instance, first, False) in agents.open_tasks(session, installation.clock)
    assert (handed.kind, handed.args) == ("grant", {"name": "bob"})
    assert "bob" not in task_row(installation, first).sealed_args


def test_a_task_that_was_sealed_with_another_key_fails_and_the_others_are_sent(
    installation: Installation, instance: str
) -> None:
    operation_id = add_operation(installation, instance)
    other_key = Vault(Fernet.generate_key())
    with installation.database.begin() as session:
        sealed = other_key.seal({})
        lost = dispatch(
            session,
            instance,
            "prepare",
            sealed=sealed,
            operation=session.get_one(Operation, operation_id),
        ).id
    kept = dispatch_task(installation, instance, "stop")
    with installation.database.begin() as session:
        tasks, _ = agents.answer_of(session, installation.vault, instance, installation.clock)
    assert [task.id for task in tasks] == [kept]
    task = task_row(installation, lost)
    assert task.answered
    with pytest.raises(Failed, match="check that every service has the same"):
        agents.raise_for(task)


def test_the_first_answer_stands_and_wakes_the_operation(
    installation: Installation, instance: str
) -> None:
    operation_id = add_operation(installation, instance)
    with installation.database.begin() as session:
        task_id = dispatch(
            session, instance, "prepare", operation=session.get_one(Operation, operation_id)
        ).id
    receive(
        installation, instance, progress=[TaskProgress(task_id, 7.0, "half"), TaskProgress("x")]
    )
    task = task_row(installation, task_id)
    assert (task.progress, task.note, task.answered) == (1.0, "half", False)
    receive(installation, instance, results=[TaskResult(task_id, {"n": 1})])
    receive(installation, instance, results=[TaskResult(task_id, None, "late", "failed")])
    receive(installation, instance, progress=[TaskProgress(task_id, 0.5)])
    task = task_row(installation, task_id)
    assert (task.answered, task.result, task.error, task.progress) == (True, {"n": 1}, None, 1.0)
    assert task.answered_at is not None
    with installation.database.session() as session:
        assert session.get_one(Operation, operation_id).wakeups == 1
        assert agents.open_tasks(session, installation.clock) == []


def test_two_answers_at_the_same_moment(
    installation: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one has seen the task open, and comes too late all the same."""
    with installation.database.begin() as session:
        task_id = dispatch(session, instance, "restart").id
    receive(installation, instance, results=[TaskResult(task_id, {"n": 1})])
    monkeypatch.setattr(agents, "_pending", lambda _: select(Task.id))
    receive(installation, instance, results=[TaskResult(task_id, {"n": 2})])
    assert task_row(installation, task_id).result == {"n": 1}


def test_another_agent_answers_nothing(installation: Installation, instance: str) -> None:
    task_id = dispatch_task(installation, instance, "stop")
    receive(installation, add_instance(installation), results=[TaskResult(task_id, {})])
    assert not task_row(installation, task_id).answered


def test_the_tasks_of_an_ended_operation_are_neither_given_nor_heard(
    installation: Installation, instance: str
) -> None:
    operation_id = add_operation(installation, instance)
    with installation.database.begin() as session:
        task_id = dispatch(
            session, instance, "stop", operation=session.get_one(Operation, operation_id)
        ).id
    assert pending_ids(installation, instance) == [task_id]
    with installation.database.begin() as session:
        session.get_one(Operation, operation_id).state = State.SUPERSEDED
    assert pending_ids(installation, instance) == []
    receive(installation, instance, results=[TaskResult(task_id, {})])
    with installation.database.session() as session:
        operation = session.get_one(Operation, operation_id)
        assert (operation.wakeups, operation.state) == (0, State.SUPERSEDED)


def test_an_answer_is_waited_for(installation: Installation, instance: str) -> None:
    task_id = dispatch_task(installation, instance, "enable_root", password="p")
    answering = threading.Timer(
        0.1, receive, (installation, instance), {"results": [TaskResult(task_id, {"name": "root"})]}
    )
    answering.start()
    task = agents.await_answer(installation.database, task_id, 20)
    answering.join()
    assert task.result == {"name": "root"}
    assert task.sealed_args == ""
    agents.raise_for(task)


def test_what_is_not_answered_in_time_is_withdrawn(
    installation: Installation, instance: str
) -> None:
    task_id = dispatch_task(installation, instance, "stop")
    task = agents.await_answer(installation.database, task_id, 0.05)
    assert task.answered
    assert task.sealed_args == ""
    with pytest.raises(Unavailable, match="not answer within 0.05 seconds, and the change was not"):
        agents.raise_for(task)
    assert pending_ids(installation, instance) == []
    receive(installation, instance, results=[TaskResult(task_id, {})])
    assert task_row(installation, task_id).error_kind == "late"


def outcomes_of(installation: Installation, instance: str) -> list[tuple[str, str | None]]:
    """What became of requests: (kind of event, error)."""
    with installation.database.session() as session:
        found = session.scalars(
            select(Event).where(Event.subject_id == instance).order_by(Event.id)
        )
        return [(event.kind, event.payload.get("error")) for event in found]


def abandoned(installation: Installation, instance: str, kind: str = "grant") -> str:
    """A task that was handed out, and whose caller gave up; its id."""
    task_id = demand(installation, instance, kind)
    assert pending_ids(installation, instance) == [task_id]
    with pytest.raises(Unavailable, match="not known whether it is done"):
        agents.raise_for(agents.await_answer(installation.database, task_id, 0))
    return task_id


@pytest.mark.parametrize(
    ("result", "kind", "error"),
    [
        (TaskResult("", {}), "user.grant.end", None),
        (TaskResult("", error="no", error_kind="invalid"), "user.grant.error", "no"),
        (TaskResult("", error="early", error_kind="late"), "user.grant.error", "early"),
        (TaskResult("", error="half", error_kind="unknown"), "user.grant.error", "half"),
    ],
)
def test_what_may_have_begun_is_unknown_until_its_agent_reports(
    installation: Installation, instance: str, result: TaskResult, kind: str, error: str | None
) -> None:
    task_id = abandoned(installation, instance)
    ((first, why),) = outcomes_of(installation, instance)
    assert (first, "event user.grant.end or user.grant.error" in str(why)) == (
        "user.grant.unknown",
        True,
    )
    assert task_row(installation, task_id).sealed_args == ""
    assert pending_ids(installation, instance) == []
    assert withdrawn(installation, instance) == []
    assert withdrawn(installation, instance, settling=[]) == [task_id]
    assert withdrawn(installation, instance, watched=[task_id]) == [task_id]
    assert withdrawn(installation, instance, watched=[task_id], settling=[task_id]) == []
    with installation.database.session() as session:
        assert agents.open_tasks(session, installation.clock) == []
    reported = TaskResult(task_id, result.result, result.error, result.error_kind)
    receive(installation, instance, results=[reported])
    receive(installation, instance, results=[reported])
    assert outcomes_of(installation, instance)[1:] == [(kind, error)]
    assert withdrawn(installation, instance, settling=[]) == []


def test_a_task_without_an_event_may_be_unknown_too(
    installation: Installation, instance: str
) -> None:
    abandoned(installation, instance, "diagnose")
    assert outcomes_of(installation, instance) == []


def test_a_task_is_not_handed_out_after_its_deadline(
    installation: Installation, instance: str
) -> None:
    task_id, late = demand(installation, instance), demand(installation, instance, left=-1)
    assert pending_ids(installation, instance) == [task_id]
    with installation.database.session() as session:
        seen = {task.id: task.is_late for task in agents.open_tasks(session, installation.clock)}
    assert seen == {task_id: False, late: True}
    # It may be under way: then it is not withdrawn while its caller waits.
    assert withdrawn(installation, instance, watched=[late]) == []
    task = agents.await_answer(installation.database, late, 0)
    with pytest.raises(Unavailable, match="was not made"):
        agents.raise_for(task)


def test_an_agent_learns_how_long_it_may_wait(installation: Installation, instance: str) -> None:
    demand(installation, instance, left=60)
    operation = add_operation(installation, instance)
    with installation.database.begin() as session:
        dispatch(session, instance, "stop", operation=session.get_one(Operation, operation))
    with installation.database.begin() as session:
        (first, second), _ = agents.answer_of(
            session, installation.vault, instance, installation.clock, held=1000
        )
    assert first.begin_within is not None
    assert 1050 < first.begin_within < 1060
    assert second.begin_within == 1000 + agents.UNCONFIRMED


def test_a_caller_that_gives_up_at_the_moment_of_handing_out_wins(
    installation: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = demand(installation, instance)
    monkeypatch.setattr(agents, "is_changed", lambda session, statement: False)
    assert pending_ids(installation, instance) == []
    assert task_row(installation, task_id).handed_at is None


def test_what_an_agent_found_too_old_is_sent_again_if_it_is_wanted(
    installation: Installation, instance: str
) -> None:
    operation_id = add_operation(installation, instance)
    with installation.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        wanted = dispatch(session, instance, "stop", operation=operation).id
    request, late = demand(installation, instance), demand(installation, instance, left=-1)
    assert set(pending_ids(installation, instance)) == {wanted, request}
    too_old = [TaskResult(id, error="late", error_kind="late") for id in (wanted, request, late)]
    receive(installation, instance, results=too_old)
    assert set(pending_ids(installation, instance)) == {wanted, request}
    assert outcomes_of(installation, instance) == [("user.grant.error", "late")]
    with pytest.raises(Unavailable, match="late"):
        agents.raise_for(task_row(installation, late))


def test_requests_leave_time_for_the_work_itself(installation: Installation) -> None:
    with installation.database.session() as session:
        left = agents.expiry_of(installation, session) - installation.clock.now(session)
    timeout = installation.settings.timing.agent_call_low_timeout
    assert 0.5 * timeout < left.total_seconds() < 0.65 * timeout


def test_a_request_that_an_agent_refuses_is_an_event(
    installation: Installation, instance: str
) -> None:
    refused, done = (
        dispatch_task(installation, instance, "grant"),
        dispatch_task(installation, instance, "revoke"),
    )
    results = [TaskResult(refused, error="no", error_kind="invalid"), TaskResult(done, {})]
    receive(installation, instance, results=[*results, *results])
    assert outcomes_of(installation, instance) == [("user.grant.error", "no")]
    agents.await_answer(
        installation.database, dispatch_task(installation, instance, "create_databases"), 0
    )
    kind, error = outcomes_of(installation, instance)[-1]
    assert (kind, "did not answer" in str(error)) == ("database.create.error", True)


def test_an_answer_of_the_last_moment_counts(
    installation: Installation, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = dispatch_task(installation, instance, "stop")
    begin = Database.begin

    def answer_first(database: Database) -> object:
        monkeypatch.setattr(Database, "begin", begin)
        receive(installation, instance, results=[TaskResult(task_id, {"just": "so"})])
        return begin(database)

    monkeypatch.setattr(Database, "begin", answer_first)
    task = agents.await_answer(installation.database, task_id, 0)
    assert (task.result, task.error) == ({"just": "so"}, None)


def test_there_is_no_answer_to_no_question(installation: Installation) -> None:
    with pytest.raises(NotFound):
        agents.await_answer(installation.database, new_id(), 1)


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


def test_what_nothing_waits_for_is_withdrawn(installation: Installation, instance: str) -> None:
    operation_id = add_operation(installation, instance)
    with installation.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        forward = dispatch(session, instance, "resize", operation=operation).id
        operation.state = State.UNDOING
        back = dispatch(session, instance, "resize", operation=operation, key="back").id
    request, unknown = dispatch_task(installation, instance, "grant"), new_id()
    busy = [forward, back, request, unknown]
    assert withdrawn(installation, instance, watched=busy) == sorted([forward, unknown])
    assert withdrawn(installation, instance) == []
    assert set(pending_ids(installation, instance)) == {back, request}


def test_a_task_of_another_release_fails_without_an_event(
    installation: Installation, instance: str
) -> None:
    receive(
        installation,
        instance,
        results=[TaskResult(dispatch_task(installation, instance, "of_later"), error="no")],
    )
    assert outcomes_of(installation, instance) == []
