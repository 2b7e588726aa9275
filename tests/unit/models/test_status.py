"""The status follows from the last operation and the last report, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from trove.models.status import status_of

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
        ({"engine_state": None}, ("ACTIVE", "BUILD")),
        ({"engine_state": "a newer agent's word"}, ("ACTIVE", "ERROR")),
    ],
)
def test_words(changed: dict[str, Any], words: tuple[str, str]) -> None:
    facts: dict[str, Any] = WELL | changed
    assert tuple(status_of(**facts)) == words
