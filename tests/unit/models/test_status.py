"""The status follows from the last operation and the last report, and from nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trove.models.status import DISK_FULL, effective_state_of, is_full, reason_of, status_of

WELL = {
    "has_server": True,
    "workflow_status": "BUILD",
    "operation_state": "succeeded",
    "engine_state": "running",
    "silent": False,
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ("ACTIVE", "HEALTHY")),
        ({"operation_state": "running"}, ("BUILD", "")),
        ({"operation_state": "undoing"}, ("BUILD", "")),
        ({"operation_state": "running", "workflow_status": ""}, ("ACTIVE", "HEALTHY")),
        ({"operation_state": "failed"}, ("ACTIVE", "HEALTHY")),
        ({"operation_state": "failed", "has_server": False}, ("ERROR", "")),
        ({"operation_state": None, "workflow_status": None}, ("ACTIVE", "HEALTHY")),
        ({"has_server": False, "deleted": True}, ("SHUTDOWN", "")),
        ({"silent": True}, ("ACTIVE", "ERROR")),
        ({"engine_state": "crashed"}, ("ACTIVE", "SHUTDOWN")),
        ({"engine_state": "stopped"}, ("ACTIVE", "SHUTDOWN")),
        ({"engine_state": "failed"}, ("ACTIVE", "FAILED")),
        ({"engine_state": "blocked"}, ("ACTIVE", "BLOCKED")),
        ({"engine_state": None}, ("ACTIVE", "BUILD")),
        ({"engine_state": "a newer agent's word"}, ("ACTIVE", "ERROR")),
    ],
)
def test_words(changed: dict[str, Any], words: tuple[str, str]) -> None:
    facts: dict[str, Any] = WELL | changed
    assert tuple(status_of(**facts)) == words


@pytest.mark.parametrize(
    ("used", "total", "full"),
    [
        *((None, 1.0, False), (1.0, None, False), (0.5, 1.0, False)),
        *((0.99, 1.0, True), (1.0, 1.0, True)),
    ],
)
def test_full_volumes(used: float | None, total: float | None, full: bool) -> None:
    assert is_full(used, total) is full


def test_an_engine_that_runs_and_takes_no_writes_is_blocked() -> None:
    assert effective_state_of("running", hindered=True) == "blocked"
    assert effective_state_of("running", hindered=False) == "running"
    assert effective_state_of("failed", hindered=True) == "failed"
    assert effective_state_of(None, hindered=True) is None


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"error": "out of memory"}, "out of memory"),
        ({"error": "of an earlier start", "engine_state": "stopped"}, None),
        ({"full": True}, DISK_FULL),
        ({"full": True, "error": "exit code 1"}, f"{DISK_FULL} (exit code 1)"),
        ({"full": True, "error": "does not start; the volume is full"}, None),
        ({"silent": True}, "the agent has not reported since 2026-01-02 03:04:05 UTC"),
        ({"silent": True, "since": None}, None),
    ],
)
def test_reasons(changed: dict[str, Any], reason: str | None) -> None:
    facts: dict[str, Any] = {"engine_state": "failed", "error": None, "full": False}
    facts |= {"silent": False, "since": AT} | changed
    expected = reason or (changed.get("error") if changed.get("full") else None)
    assert reason_of(**facts) == expected
