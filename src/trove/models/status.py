"""A status is never set: it is derived from the last operation and the last report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from trove.engine import ACTIVE
from trove.protocol import EngineState

OPERATING_WORDS: Mapping[str, str] = {
    EngineState.RUNNING: "HEALTHY",
    EngineState.STARTING: "BUILD",
    EngineState.NEW: "BUILD",
    EngineState.STOPPED: "SHUTDOWN",
    EngineState.CRASHED: "SHUTDOWN",
    EngineState.BLOCKED: "BLOCKED",
    EngineState.FAILED: "FAILED",
    EngineState.RESTART_REQUIRED: "RESTART_REQUIRED",
}


FULL = 16 / 1024
"""GiB: with less on the volume, engines cannot extend their files."""
DISK_FULL = "the volume is full: delete what is not needed, or resize the volume"


class Status(NamedTuple):
    """What clients see: two words of the Trove API."""

    status: str
    operating_status: str


def status_of(
    *,
    has_server: bool,
    workflow_status: str | None,
    operation_state: str | None,
    engine_state: str | None,
    silent: bool,
    deleted: bool = False,
) -> Status:
    """Derive the status of an instance.

    While its last operation goes on, that workflow's word (an empty one shows nothing); without a
    server, ERROR, or SHUTDOWN when it was deleted; otherwise ACTIVE, and how the engine is by its
    agent's last report, which is worth nothing once the agent has been silent for too long.
    """
    if operation_state in ACTIVE and workflow_status:
        return Status(workflow_status, "")
    if not has_server:
        return Status("SHUTDOWN" if deleted else "ERROR", "")
    if silent:
        return Status("ACTIVE", "ERROR")
    return Status("ACTIVE", OPERATING_WORDS.get(engine_state or EngineState.NEW, "ERROR"))


def is_full(used: float | None, total: float | None) -> bool:
    """Whether a volume (GiB) has no room left."""
    return used is not None and total is not None and total - used < FULL


def effective_state_of(engine_state: str | None, *, hindered: bool) -> str | None:
    """An engine that runs on a full volume, or reports an error, takes no writes."""
    return EngineState.BLOCKED if hindered and engine_state == EngineState.RUNNING else engine_state


def reason_of(
    *, engine_state: str | None, error: str | None, full: bool, silent: bool, since: datetime | None
) -> str | None:
    """Why an instance with a server is not healthy, as far as that is known."""
    if silent:
        return f"the agent has not reported since {since:%Y-%m-%d %H:%M:%S} UTC" if since else None
    known = error if engine_state != EngineState.STOPPED else None
    if full and "volume is full" not in (known or ""):
        return f"{DISK_FULL} ({known})" if known else DISK_FULL
    return known


def is_silent(reported_at: datetime | None, now: datetime, expiry: timedelta) -> bool:
    """Whether an agent has not been heard of for too long."""
    return reported_at is None or now - reported_at > expiry
