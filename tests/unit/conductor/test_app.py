"""The conductor over real HTTP, as agents call it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from sqlalchemy import text

from tests.support import slot
from tests.support.agents import (
    Conductor,
    add_instance,
    add_operation,
    agent_row,
    conductor_in,
    dispatch_task,
    invite,
    task_row,
)
from tests.support.waiting import HANG, until
from trove.engine import Operation, supersede
from trove.guestagent.tls import Request
from trove.models import Instance
from trove.models.task import dispatch
from trove.services.authority import load_authority

CREDENTIAL = "c" * 43
LONG = 2 * HANG
"""Seconds; a call that is held as long is only answered for another reason."""


class Caller:
    """An agent's side by hand."""

    def __init__(self, conductor: Conductor, credential: str | None = None) -> None:
        self.pool = urllib3.PoolManager(retries=False, maxsize=4)
        self.url = conductor.url
        self.headers = {"Authorization": f"Bearer {credential}"} if credential else {}

    def post(self, name: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.pool.request(
            "POST", f"{self.url}/v1/{name}", body=raw, headers=self.headers | headers
        )
        return answer.status, json.loads(answer.data)

    def sync(self, hold: float = 0, **fields: Any) -> tuple[int, Any]:
        body = {"report": {"engine": "running"}, "hold": hold} | fields
        status, answer = self.post("sync", body)
        assert status != 200 or answer.pop("report_seconds") == 10.0
        return status, answer

    def get(self, path: str) -> tuple[int, str]:
        answer = self.pool.request("GET", self.url + path)
        return answer.status, answer.data.decode()


@pytest.fixture
def long_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trove.conductor.app.LONGEST_HOLD", LONG)


@pytest.fixture
def instance(conductor: Conductor) -> str:
    return add_instance(conductor.installation, address="127.72.0.50")


@pytest.fixture
def agent(conductor: Conductor, instance: str) -> Iterator[Caller]:
    """An enrolled one."""
    with agent_of(conductor, instance, CREDENTIAL) as caller:
        yield caller


def agent_of(conductor: Conductor, instance: str, credential: str) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def enrolled() -> Iterator[Caller]:
        token = invite(conductor.installation, instance)
        caller = Caller(conductor, credential)
        status, _ = caller.post("enrol", {"token": token, "credential": credential})
        assert status == 200
        yield caller
        caller.pool.clear()

    return enrolled()


def test_enrolment_gives_a_credential(conductor: Conductor, instance: str) -> None:
    token = invite(conductor.installation, instance)
    caller = Caller(conductor)
    status, answer = caller.post("enrol", {"token": token})
    assert status == 200
    assert answer["instance_id"] == instance
    caller.headers = {"Authorization": f"Bearer {answer['credential']}"}
    assert caller.sync() == (200, {})
    assert caller.post("enrol", {"token": token})[0] == 401
    caller.pool.clear()


def test_who_shows_nothing_or_something_else_is_not_let_in(
    conductor: Conductor, agent: Caller
) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic abc", f"Bearer {CREDENTIAL}x"):
        for call in ("sync", "certificate"):
            status, answer = agent.post(call, {"report": {}, "csr": ""}, Authorization=header)
            assert status == 401
            assert answer["error"]


def test_a_task_is_handed_out_and_its_answer_kept(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    task_id = dispatch_task(conductor.installation, instance, "grant", name="bob")
    status, answer = agent.sync()
    assert (status, answer["tasks"]) == (
        200,
        [{"id": task_id, "kind": "grant", "args": {"name": "bob"}, "begin_within": 30.0}],
    )
    assert agent.sync(busy=[task_id]) == (200, {})
    assert agent.sync(results=[{"id": task_id, "result": {"n": 1}}]) == (200, {})
    assert task_row(conductor.installation, task_id).result == {"n": 1}
    row = agent_row(conductor.installation, instance)
    assert row.engine_state == "running"


def test_a_foreign_credential_sees_and_answers_nothing(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    task_id = dispatch_task(conductor.installation, instance, "stop")
    other = add_instance(conductor.installation, address="127.72.0.51")
    with agent_of(conductor, other, "o" * 43) as other_agent:
        forged = {
            "instance_id": instance,
            "results": [{"id": task_id, "error": "forged"}],
            "progress": [{"id": task_id, "progress": 0.9}],
        }
        assert other_agent.sync(**forged) == (200, {})
    task = task_row(conductor.installation, task_id)
    assert (task.answered, task.progress) == (False, 0.0)
    assert agent_row(conductor.installation, instance).reported_at is None


@pytest.mark.usefixtures("long_holds")
def test_a_call_is_held_until_there_is_a_task(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    answers: list[tuple[int, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(agent.sync(hold=HANG)))
    waiting.start()
    until(lambda: agent_row(conductor.installation, instance).reported_at)
    task_id = dispatch_task(conductor.installation, instance, "stop")
    waiting.join(HANG)
    assert answers[0][1]["tasks"][0]["id"] == task_id


@pytest.mark.usefixtures("long_holds")
def test_a_call_is_held_no_longer_than_requested(agent: Caller) -> None:
    begun = time.monotonic()
    assert agent.sync(hold=0.3) == (200, {})
    assert time.monotonic() - begun > 0.25


def test_a_call_is_held_no_longer_than_the_conductor_holds_one(
    agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trove.conductor.app.LONGEST_HOLD", 0.1)
    assert agent.sync(hold=LONG) == (200, {})


def test_what_its_agent_is_at_wakes_no_call(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    task_id = dispatch_task(conductor.installation, instance, "stop")
    assert agent.sync(hold=0.4, busy=[task_id]) == (200, {})


def test_the_agent_of_a_deleted_instance_is_to_stop(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    with conductor.installation.database.begin() as session:
        session.get_one(Instance, instance).deleted_at = datetime.now(UTC)
    status, answer = agent.sync()
    assert status == 410
    assert instance in answer["error"]


def test_a_protocol_of_the_past_is_refused(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    assert agent.sync(protocol=0)[0] == 426
    assert agent.post("enrol", {"token": "t", "protocol": 0})[0] == 426
    assert agent_row(conductor.installation, instance).reported_at is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"report": 1}', b'{"report": {"engine": 1}}', b"\xff", b"null"],
)
def test_nonsense_is_refused(agent: Caller, body: bytes) -> None:
    status, answer = agent.post("sync", body)
    assert status == 400
    assert answer["error"]


def nested(depth: int) -> bytes:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    return b'{"report": {"details": ' + deep + b"}}"


@pytest.mark.parametrize(
    "body",
    [b'{"report": {}, "protocol": 1' + b"0" * n + b"}" for n in (12, 30)]
    + [b'{"report": {"volume_used": -1}}', b'{"report": {"volume_used": 1e300}}', nested(100_000)],
)
def test_what_no_column_holds_is_refused(agent: Caller, body: bytes) -> None:
    assert agent.post("sync", body)[0] == 400
    assert agent.sync()[0] == 200


@pytest.mark.parametrize("depth", [300, 900, 1500, 5000])
def test_details_may_be_deep_or_are_refused(agent: Caller, depth: int) -> None:
    assert agent.post("sync", nested(depth))[0] in {200, 400}
    assert agent.sync()[0] == 200


@pytest.mark.engine
def test_what_the_metadata_database_cannot_store_is_refused(
    tmp_path: Path, postgresql_url: str
) -> None:
    with conductor_in(tmp_path, slot.address(72, 3), url=postgresql_url) as conductor:
        instance = add_instance(conductor.installation)
        with agent_of(conductor, instance, CREDENTIAL) as agent:
            report = b'{"report": {"engine_version": "\\u0000"}, "hold": 0}'
            status, answer = agent.post("sync", report)
            assert (status, "cannot be stored" in answer["error"]) == (400, True)
            assert agent.sync()[0] == 200


def test_too_much_is_refused(agent: Caller) -> None:
    status, _ = agent.post("sync", b" " * (5 * 1024 * 1024))
    assert status == 413
    assert agent.sync()[0] == 200


def test_a_certificate_is_signed_for_the_instance_that_requests_it(
    conductor: Conductor, instance: str, agent: Caller, spec: Any
) -> None:
    with Request(spec) as request:
        csr = request.csr()
    status, answer = agent.post("certificate", {"csr": csr})
    assert status == 200
    certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{instance}.trove.internal"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.72.0.50"]
    authority = load_authority(conductor.installation.settings.authority)
    assert answer["authority"] == authority.pem
    certificate.verify_directly_issued_by(authority.certificate)
    assert agent.post("certificate", {"csr": "?"})[0] == 400
    # The one that was signed last is kept, to be shown.
    kept = agent_row(conductor.installation, instance).certificate
    assert kept == answer["certificate"]


def test_operators_can_watch_it(conductor: Conductor, agent: Caller) -> None:
    assert agent.get("/healthcheck") == (200, '{"status":"ok"}')
    agent.sync()
    status, metrics = agent.get("/metrics")
    assert status == 200
    assert 'trove_conductor_calls_total{call="sync",status="200"}' in metrics


def test_its_pages_answer_head_and_name_their_methods(conductor: Conductor) -> None:
    with urllib3.PoolManager(retries=False) as http:
        for path in ("/healthcheck", "/metrics"):
            head = http.request("HEAD", conductor.url + path)
            assert (head.status, head.data) == (200, b"")
            for method, code in (("OPTIONS", 204), ("POST", 405)):
                answer = http.request(method, conductor.url + path)
                assert (answer.status, answer.headers["Allow"]) == (code, "GET, HEAD, OPTIONS")
        sync = http.request("GET", f"{conductor.url}/v1/sync")
        assert (sync.status, sync.headers["Allow"]) == (405, "POST, OPTIONS")


def test_a_metadata_database_that_is_away_is_no_ones_fault(
    conductor: Conductor, agent: Caller
) -> None:
    engine = conductor.installation.database.engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE agents RENAME TO away"))
    assert agent.sync()[0] == 503
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO agents"))
    assert agent.sync()[0] == 200


def test_many_who_call_at_once_are_answered_each_for_itself(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    task_id = dispatch_task(inst, instance, "stop")
    calls: list[dict[str, Any]] = [
        {},
        {"Authorization": "Bearer of-no-one"},
        {},
        {"Authorization": f"Bearer {instance}"},
    ]
    answers: dict[int, tuple[int, Any]] = {}

    def call(number: int) -> None:
        body = {"report": {"engine": "running"}, "hold": 0}
        answers[number] = agent.post("sync", body, **calls[number % 4])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    for number, (status, answer) in sorted(answers.items()):
        assert status == (200 if number % 2 == 0 else 401)
        assert number % 2 or [task["id"] for task in answer["tasks"]] == [task_id]
    assert len(answers) == 16


def test_a_call_that_waits_too_long_for_the_metadata_database_is_to_be_repeated(
    conductor: Conductor, instance: str, agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = conductor.installation.database.engine
    with monkeypatch.context() as patch, engine.begin() as connection:
        connection.execute(text("UPDATE agents SET version = 'locked'"))
        patch.setattr("trove.conductor.reports.PATIENCE", 0.05)
        status, answer = agent.sync()
    assert (status, "try again" in answer["error"]) == (503, True)
    assert agent.sync() == (200, {})
    assert agent_row(conductor.installation, instance).engine_state == "running"


@pytest.mark.usefixtures("long_holds")
def test_a_conductor_that_stops_keeps_no_agent_waiting(tmp_path: Path) -> None:
    with conductor_in(tmp_path, slot.address(72, 2)) as conductor:
        instance = add_instance(conductor.installation)
        with agent_of(conductor, instance, CREDENTIAL) as agent:
            answers: list[tuple[int, Any]] = []
            waiting = threading.Thread(target=lambda: answers.append(agent.sync(hold=LONG)))
            waiting.start()
            until(lambda: agent_row(conductor.installation, instance).reported_at)
            conductor.stop()
            waiting.join(HANG)
            assert answers == [(200, {})]


@pytest.mark.usefixtures("long_holds")
def test_a_held_call_names_what_is_withdrawn_to_an_agent_that_accepts_it(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    operation_id = add_operation(inst, instance)
    with inst.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        task_id = dispatch(session, instance, "run_until", operation=operation).id
    answers: list[tuple[int, Any]] = []
    words: dict[str, Any] = {"busy": [task_id], "accepts_withdrawal": True}
    waiting = threading.Thread(target=lambda: answers.append(agent.sync(hold=HANG, **words)))
    waiting.start()
    until(lambda: agent_row(inst, instance).reported_at)
    with inst.database.begin() as session:
        supersede(session, operation_id)
    waiting.join(HANG)
    assert answers == [(200, {"withdrawn": [task_id]})]
    assert agent.sync(hold=0.3, busy=[task_id]) == (200, {})


def test_a_held_call_brings_what_is_left_of_the_time(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    answers: list[tuple[int, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(agent.sync(hold=20)))
    waiting.start()
    until(lambda: agent_row(inst, instance).reported_at)
    with inst.database.begin() as session:
        expiry = inst.clock.now(session) + timedelta(seconds=1000)
        dispatch(session, instance, "grant", expires_at=expiry)
    waiting.join(HANG)
    # Counted from the call, so that it is longer than from now on.
    assert 900 < answers[0][1]["tasks"][0]["begin_within"] < 1020


def test_what_may_not_begin_any_more_keeps_no_call_from_being_held(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    with inst.database.begin() as session:
        expired = inst.clock.now(session) - timedelta(seconds=1)
        task_id = dispatch(session, instance, "grant", expires_at=expired).id
    begun = time.monotonic()
    assert agent.sync(hold=0.4) == (200, {})
    assert agent.sync(hold=0.4, busy=[task_id], accepts_withdrawal=True) == (200, {})
    assert time.monotonic() - begun > 0.7


def test_an_agent_settles_what_was_abandoned(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    with inst.database.begin() as session:
        task = dispatch(session, instance, "grant")
        task.abandoned_at = inst.clock.now(session)
        task_id = task.id
    assert agent.sync() == (200, {})
    assert agent.sync(settling=[]) == (200, {"withdrawn": [task_id]})
    assert agent.sync(settling=[task_id]) == (200, {})
    assert agent.sync(settling=[task_id], results=[{"id": task_id, "result": {}}]) == (200, {})
    assert agent.sync(settling=[]) == (200, {})
    assert task_row(inst, task_id).answered


def test_what_an_agent_ends_itself_wakes_no_call(
    conductor: Conductor, instance: str, agent: Caller
) -> None:
    inst = conductor.installation
    task_id = dispatch_task(inst, instance, "stop")
    answers: list[tuple[int, Any]] = []
    words: dict[str, Any] = {"busy": [task_id], "accepts_withdrawal": True}
    waiting = threading.Thread(target=lambda: answers.append(agent.sync(hold=1, **words)))
    begun = time.monotonic()
    waiting.start()
    until(lambda: agent_row(inst, instance).reported_at)
    assert agent.sync(results=[{"id": task_id, "result": {}}], **words) == (200, {})
    waiting.join(HANG)
    assert answers == [(200, {})]
    assert time.monotonic() - begun > 0.9
