"""Whatever an agent sends, the conductor answers it, and goes on with those that are honest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trove.conductor import create_app
from trove.protocol import (
    OLDEST_PROTOCOL,
    PROTOCOL,
    EngineState,
    Report,
    SyncAnswer,
    SyncRequest,
    TaskResult,
)
from trove.testing import AppCalls
from trove.testing.world import Cloud

many = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ANSWERS = {200, 400, 401, 410, 413, 426}
"""Every status that an agent may get for what it has sent: none is a failure of the conductor."""
CALLS = ("enrol", "certificate", "sync")

texts = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("report", "results", "hold", "protocol", "busy", "token", "credential", "agent_version")
messages = st.dictionaries(st.sampled_from(FIELDS), values, max_size=6)
reports = st.dictionaries(
    st.sampled_from(
        ("engine_state", "engine_version", "volume_used", "volume_total", "accounts", "details")
    ),
    values,
    max_size=4,
)


class Line:
    """One agent's line to the conductor, on which anything may be sent."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.instance_id = cloud.built()
        self.agent = cloud.agents.of(self.instance_id)
        self.calls = AppCalls(create_app(cloud.installation))

    def send(self, call: str, body: bytes, credential: str | None = None) -> tuple[int, Any]:
        status, answer = self.calls.post(f"/v1/{call}", body, credential or self.agent.credential)
        return status, json.loads(answer)

    def is_intact(self) -> bool:
        """The agent goes on, and its instance is what it was."""
        self.agent.run()
        return self.cloud.words(self.instance_id) == ("ACTIVE", "HEALTHY")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    cloud = Cloud(tmp_path)
    yield Line(cloud)
    cloud.metadata.close()


@many
@given(call=st.sampled_from(CALLS), body=st.binary(max_size=80))
def test_any_bytes_are_answered(line: Line, call: str, body: bytes) -> None:
    status, answer = line.send(call, body)
    assert status == 400
    assert answer["error"]


@many
@given(call=st.sampled_from(CALLS), message=messages)
def test_any_json_is_answered(line: Line, call: str, message: dict[str, Any]) -> None:
    message = message | {"hold": 0} if isinstance(message.get("hold"), int | float) else message
    status, answer = line.send(call, json.dumps(message).encode())
    assert status in ANSWERS
    assert status == 200 or answer["error"]


@many
@given(report=reports)
def test_any_report_is_kept_or_refused(line: Line, report: dict[str, Any]) -> None:
    body = json.dumps({"report": report, "hold": 0}).encode()
    status, answer = line.send("sync", body)
    assert status in {200, 400}
    assert status == 200 or answer["error"]


@many
@given(credential=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50))
def test_no_guess_is_a_credential(line: Line, credential: str) -> None:
    body = msgspec.json.encode(SyncRequest(Report(EngineState.RUNNING), hold=0))
    status, answer = line.send("sync", body, credential or "-")
    assert (status, "tasks" in answer) == (401, False)


@many
@given(task_id=texts | st.uuids().map(str), result=st.dictionaries(texts, scalars, max_size=3))
def test_an_answer_to_no_task_of_its_own_changes_nothing(
    line: Line, task_id: str, result: dict[str, Any]
) -> None:
    results = [TaskResult(task_id, result)]
    request = SyncRequest(Report(EngineState.RUNNING), results=results, hold=0)
    status, _ = line.send("sync", msgspec.json.encode(request))
    assert status in {200, 400}
    assert line.cloud.active() == []


def test_after_all_of_that_the_agent_goes_on(line: Line) -> None:
    for body in (b"", b"{}", b'{"report": {}}', b'{"report": null}', b"[1]", b'"sync"'):
        for call in CALLS:
            line.send(call, body)
    assert line.is_intact()


@pytest.mark.parametrize("protocol", range(OLDEST_PROTOCOL - 1, PROTOCOL + 3))
def test_each_protocol_from_the_oldest_on_is_spoken(line: Line, protocol: int) -> None:
    """A newer agent speaks ours: what is added later, older conductors leave unread."""
    request = SyncRequest(Report(EngineState.RUNNING), hold=0, protocol=protocol)
    status, answer = line.send("sync", msgspec.json.encode(request))
    if protocol < OLDEST_PROTOCOL:
        assert (status, "tasks" in answer) == (426, False)
    else:
        assert status == 200
        assert msgspec.convert(answer, SyncAnswer).tasks == []


def test_fields_of_a_later_release_are_left_unread(line: Line) -> None:
    request = msgspec.to_builtins(SyncRequest(Report(EngineState.RUNNING), hold=0))
    request["mood"] = "good"
    request["report"]["weather"] = {"rain": True}
    assert line.send("sync", json.dumps(request).encode())[0] == 200
    assert line.is_intact()
