"""Messages of the oldest supported release, as recorded, against the present code, both ways.

A recording is never changed; a new protocol gets a folder of its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from tests.support import slot
from tests.support.agents import (
    Conductor,
    add_instance,
    agent_row,
    conductor_in,
    dispatch_task,
    invite,
    task_row,
)
from tests.support.waiting import HANG
from trove.guestagent.link import Link
from trove.models import Task
from trove.protocol import (
    OLDEST_PROTOCOL,
    PROTOCOL,
    CertificateAnswer,
    CertificateRequest,
    EngineState,
    EnrolAnswer,
    EnrolRequest,
    ErrorKind,
    Report,
    SyncAnswer,
    SyncRequest,
)
from trove.protocol.tasks import tasks

RECORDINGS = Path(__file__).parent / "recordings"
MESSAGES: dict[str, type] = {
    "enrol_request": EnrolRequest,
    "enrol_answer": EnrolAnswer,
    "certificate_request": CertificateRequest,
    "certificate_answer": CertificateAnswer,
    "sync_request": SyncRequest,
    "sync_answer": SyncAnswer,
}
FILES = sorted(RECORDINGS.rglob("*.json"))


def kind_of(path: Path) -> type:
    return next(kind for name, kind in MESSAGES.items() if path.name.startswith(name))


def recorded(name: str) -> dict[str, Any]:
    path = RECORDINGS / f"protocol-{OLDEST_PROTOCOL}" / f"{name}.json"
    return dict(json.loads(path.read_bytes()))


def with_unknown_fields(value: Any) -> Any:
    """The message of a later release: unknown fields everywhere."""
    if isinstance(value, dict):
        known = {key: with_unknown_fields(part) for key, part in value.items()}
        return known | {"of_a_later_release": {"n": [1, None]}}
    return [with_unknown_fields(part) for part in value] if isinstance(value, list) else value


def test_every_supported_protocol_was_recorded() -> None:
    supported = {f"protocol-{n}" for n in range(OLDEST_PROTOCOL, PROTOCOL + 1)}
    assert {path.parent.name for path in FILES} >= supported
    assert {kind_of(path) for path in FILES} == set(MESSAGES.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_recorded_is_understood_and_nothing_of_it_lost(path: Path) -> None:
    raw = json.loads(path.read_bytes())
    message: Any = msgspec.json.decode(path.read_bytes(), type=kind_of(path))
    assert contains(msgspec.to_builtins(message), raw) or contains(defaults(message), raw)
    extended = json.dumps(with_unknown_fields(raw)).encode()
    again: Any = msgspec.json.decode(extended, type=kind_of(path))
    if not isinstance(again, (SyncRequest, SyncAnswer)):
        assert again == message


def defaults(message: Any) -> Any:
    """The message with every field, those that have their default value too."""
    if isinstance(message, msgspec.Struct):
        return {f: defaults(getattr(message, f)) for f in message.__struct_fields__}
    return [defaults(part) for part in message] if isinstance(message, list) else message


def contains(whole: Any, part: Any) -> bool:
    """Whether everything of the part is found in the whole."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def test_the_names_of_protocol_1_are_kept() -> None:
    """A name may be added with a new protocol; none is removed or changes its meaning."""
    assert {state.value for state in EngineState} >= {
        "new",
        "starting",
        "running",
        "stopped",
        "crashed",
        "failed",
        "blocked",
        "restart_required",
    }
    assert {kind.value for kind in ErrorKind} >= {
        "invalid",
        "exists",
        "not_found",
        "unavailable",
        "failed",
    }
    assert set(tasks()) >= {
        "prepare",
        "restart",
        "stop",
        "start",
        "resize",
        "create_databases",
        "delete_database",
        "create_users",
        "update_user",
        "change_passwords",
        "delete_user",
        "grant",
        "revoke",
        "enable_root",
        "disable_root",
        "diagnose",
    }


@pytest.fixture
def conductor(tmp_path: Path) -> Iterator[Conductor]:
    with conductor_in(tmp_path, slot.address(72, 8)) as running:
        yield running


def post(conductor: Conductor, call: str, body: Any, credential: str = "") -> Any:
    with urllib3.PoolManager(retries=False) as pool:
        answer = pool.request(
            "POST",
            f"{conductor.url}/v1/{call}",
            body=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {credential}"},
        )
        assert answer.status == 200, answer.data
        return json.loads(answer.data)


@pytest.mark.parametrize(
    "change", [lambda message: message, with_unknown_fields], ids=["old", "new"]
)
def test_the_conductor_serves_an_old_and_a_newer_agent(conductor: Conductor, change: Any) -> None:
    around = conductor.installation
    instance = add_instance(around)
    request = change(recorded("enrol_request")) | {"token": invite(around, instance)}
    answer = post(conductor, "enrol", request)
    assert answer.keys() >= recorded("enrol_answer").keys()
    credential = answer["credential"]
    assert len(credential) >= 32
    post(conductor, "sync", change(recorded("sync_request_first")) | {"hold": 0}, credential)
    assert agent_row(around, instance).engine_state == "new"
    post(conductor, "sync", change(recorded("sync_request_idle")) | {"hold": 0}, credential)
    assert agent_row(around, instance).engine_version == "15.20"

    first, second = (
        dispatch_task(around, instance, "stop"),
        dispatch_task(around, instance, "create_users", users=[]),
    )
    given = post(conductor, "sync", {"report": {}, "hold": 0}, credential)
    assert [task["id"] for task in given["tasks"]] == [first, second]
    results = change(recorded("sync_request_results"))
    results["results"][0]["id"], results["results"][1]["id"] = first, second
    post(conductor, "sync", results, credential)
    row = agent_row(around, instance)
    assert (row.engine_state, row.accounts["users"][0]["host"]) == ("failed", "10.0.0.%")
    assert "could not write lock file" in row.details["error"]
    assert task_row(around, first).error is None
    assert task_row(around, second).error_kind == "exists"
    with around.database.session() as session:
        assert session.query(Task).filter(Task.answered.is_(False)).count() == 0


@pytest.fixture
def replayed() -> Iterator[tuple[str, dict[str, Any]]]:
    """A conductor of another release that gives one answer to everything; its URL, and what to
    answer and the requests by path."""
    scene: dict[str, Any] = {"answer": {}, "requests": {}}

    class Replay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            scene["requests"][self.path] = json.loads(body)
            answer = json.dumps(scene["answer"]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer((slot.address(72, 8), 0), Replay) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{slot.address(72, 8)}:{server.server_port}", scene
        server.shutdown()
        thread.join(HANG)


@pytest.mark.parametrize(
    "change", [lambda message: message, with_unknown_fields], ids=["old", "new"]
)
def test_the_agent_understands_an_old_and_a_newer_conductor(
    replayed: tuple[str, dict[str, Any]], change: Any
) -> None:
    url, scene = replayed
    link = Link(url)
    scene["answer"] = change(recorded("enrol_answer"))
    assert link.enrol("t", "c" * 43).instance_id == recorded("enrol_answer")["instance_id"]
    scene["answer"] = change(recorded("certificate_answer"))
    signed = link.certificate("c", "csr")
    assert signed.authority == recorded("certificate_answer")["authority"]
    assert signed.renew_seconds == 30 * 86400
    scene["answer"] = change(recorded("sync_answer_idle"))
    assert link.sync("c", SyncRequest(Report(), hold=0)).tasks == []
    scene["answer"] = change(recorded("sync_answer_tasks"))
    prepare, stop = link.sync("c", SyncRequest(Report(), hold=0)).tasks
    assert prepare.args["users"][0]["name"] == "bob"
    assert (stop.kind, stop.request_id) == ("stop", None)
    link.close()
    for path, name in (("enrol", "enrol_request"), ("certificate", "certificate_request")):
        needed = recorded(name).keys() - {"protocol"}
        assert scene["requests"][f"/v1/{path}"].keys() >= needed
    assert "report" in scene["requests"]["/v1/sync"]
