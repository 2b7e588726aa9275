"""What the agents' calls store, many in one transaction."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from tests.support import agents as rig
from tests.support.agents import add_instance, agent_row, dispatch_task, invite
from tests.support.cost import statements_of
from trove.conductor import calls as module
from trove.conductor.calls import AgentCalls, is_report_alone
from trove.errors import NotFound, Unauthenticated
from trove.models import Instance
from trove.protocol import EngineState, EnrolRequest, Report, SyncRequest, TaskProgress, TaskResult
from trove.services import agents
from trove.services.agent_reports import keep_reports
from trove.services.agents import Enrolled
from trove.services.installation import Installation
from trove.services.senders import Sender

RUNNING = SyncRequest(Report(EngineState.RUNNING))


@pytest.fixture
def installation(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """On each of the three metadata databases."""
    made = rig.installation_in(tmp_path, database_url)
    yield made
    made.database.dispose()


def enrolled(installation: Installation) -> Enrolled:
    token = invite(installation, add_instance(installation))
    with installation.database.begin() as session:
        return agents.enrol(session, EnrolRequest(token=token), installation.clock)


def test_many_reports_take_as_many_statements_as_one(installation: Installation) -> None:
    calls = AgentCalls(installation)
    known = [enrolled(installation) for _ in range(5)]
    one = [(known[0].credential, RUNNING)]
    many = [(each.credential, RUNNING) for each in known]
    alone = statements_of(installation.database, lambda: calls.store(one))
    together = statements_of(installation.database, lambda: calls.store(many))
    assert [sql.partition(" ")[0] for sql, _ in alone] == ["SELECT", "UPDATE"]
    assert [sql.partition(" ")[0] for sql, _ in together] == ["SELECT", "UPDATE"]
    for each in known:
        assert agent_row(installation, each.instance_id).engine_state == EngineState.RUNNING


def test_each_call_gets_its_own_outcome(installation: Installation) -> None:
    known, gone, busy = (enrolled(installation) for _ in range(3))
    with installation.database.begin() as session:
        deleted = session.get_one(Instance, gone.instance_id)
        deleted.deleted_at = installation.clock.now(session)
    dispatch_task(installation, busy.instance_id, "stop")
    credentials = [known.credential, "unknown", gone.credential, busy.credential]
    found = AgentCalls(installation).store([(each, RUNNING) for each in credentials])
    assert found[0] == Sender(known.instance_id, None, has_tasks=False)
    assert isinstance(found[1], Unauthenticated)
    assert isinstance(found[2], NotFound)
    assert found[3] == Sender(busy.instance_id, None, has_tasks=True)
    assert agent_row(installation, gone.instance_id).reported_at is None


def failing(installation: Installation, error: Exception) -> tuple[AgentCalls, Any]:
    """Calls that fail so when one of them is of the release `broken`."""

    def keep(session: Any, reports: Any, clock: Any) -> None:
        if any(request.agent_version == "broken" for _, request in reports):
            raise error
        original(session, reports, clock)

    original = keep_reports
    return AgentCalls(installation), keep


@pytest.mark.parametrize(
    "error",
    [
        DataError("UPDATE", None, ValueError("a NUL")),
        IntegrityError("INSERT", None, ValueError("the row is there")),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ],
)
def test_a_report_that_cannot_be_stored_is_refused_alone(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    calls, keep = failing(installation, error)
    monkeypatch.setattr(module, "keep_reports", keep)
    first, second, third = (enrolled(installation) for _ in range(3))
    broken = SyncRequest(Report(EngineState.RUNNING), agent_version="broken")
    found = calls.store(
        [
            (first.credential, RUNNING),
            (second.credential, broken),
            ("unknown", RUNNING),
            (third.credential, RUNNING),
        ]
    )
    assert found[1] is error
    assert [type(each) for each in found] == [Sender, type(error), Unauthenticated, Sender]
    assert agent_row(installation, second.instance_id).reported_at is None
    for each in (first, third):
        assert agent_row(installation, each.instance_id).reported_at is not None


def test_a_database_that_does_not_answer_fails_all_calls_at_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, seen = OperationalError("SELECT", None, ConnectionError("gone")), []

    def fail(session: Any, credentials: list[str]) -> None:
        seen.append(credentials)
        raise error

    monkeypatch.setattr(module, "senders_of", fail)
    assert AgentCalls(installation).store([("a", RUNNING), ("b", RUNNING)]) == [error, error]
    assert seen == [["a", "b"]]


def test_a_value_that_no_column_holds_spoils_no_other_report(installation: Installation) -> None:
    """PostgreSQL refuses a NUL, the others store it."""
    first, second = enrolled(installation), enrolled(installation)
    broken = SyncRequest(Report(EngineState.RUNNING, engine_version="\0"))
    calls = [(first.credential, broken), (second.credential, RUNNING)]
    found = AgentCalls(installation).store(calls)
    is_refused = installation.database.engine.dialect.name == "postgresql"
    assert isinstance(found[0], DataError if is_refused else Sender)
    assert (agent_row(installation, first.instance_id).reported_at is None) is is_refused
    assert isinstance(found[1], Sender)
    assert agent_row(installation, second.instance_id).reported_at is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"settling": []}, True),
        ({"settling": ["t"]}, False),
        ({"busy": ["t"]}, False),
        ({"results": [TaskResult("t")]}, False),
        ({"progress": [TaskProgress("t", 0.5)]}, False),
    ],
)
def test_only_a_report_alone_is_answered_without_a_look(
    fields: dict[str, Any], expected: bool
) -> None:
    assert is_report_alone(SyncRequest(Report(), **fields)) is expected


def test_a_process_that_is_killed_in_the_middle_has_stored_and_acknowledged_nothing(
    tmp_path: Path, installation: Installation
) -> None:
    known = [enrolled(installation) for _ in range(3)]
    url = installation.database.engine.url.render_as_string(hide_password=False)
    credentials = [each.credential for each in known]
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=store_and_die, args=(tmp_path, url, credentials, sender))
    process.start()
    sender.close()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with receiver, pytest.raises(EOFError):
        receiver.recv()
    for each in known:
        assert agent_row(installation, each.instance_id).reported_at is None
    # Nothing of it is in the way of the repeated calls.
    found = AgentCalls(installation).store([(each, RUNNING) for each in credentials])
    assert [type(each) for each in found] == [Sender] * 3
    for each in known:
        assert agent_row(installation, each.instance_id).reported_at is not None


def store_and_die(directory: Path, url: str, credentials: list[str], answers: Any) -> None:
    """In a process of its own: killed after the last statement, before the commit."""
    installation = rig.installation_in(directory, url)
    engine = installation.database.engine
    event.listen(engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    answers.send(AgentCalls(installation).store([(each, RUNNING) for each in credentials]))
