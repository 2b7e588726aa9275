"""A volume that becomes full under an engine that runs on, and then has room again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.provider import IS_ROOT
from tests.support.stack import Stack
from tests.support.waiting import until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.root,
    pytest.mark.skipif(not IS_ROOT, reason="only root's volumes are limited"),
]

KEPT = 2 << 20
"""Bytes that are left, so that an engine has no reason to stop."""


def volume_of(stack: Stack, instance_id: str) -> Path:
    volumes = stack.installation.settings.state_directory / "local/volumes"
    return volumes / f"trove-{instance_id}"


def fill(path: Path) -> None:
    """Take all of the file system but KEPT."""
    with path.open("wb") as file:
        size = 0
        while (free := _free(path)) > KEPT:
            step = max(4096, (free - KEPT) // 2)
            os.posix_fallocate(file.fileno(), size, step)
            size += step


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def shown(stack: Stack, instance_id: str) -> tuple[str, str]:
    """The operating status, and the fault's message."""
    found = stack.call("GET", f"/instances/{instance_id}", status=200)["instance"]
    return found["operating_status"], found.get("fault", {}).get("message", "")


def kinds(stack: Stack, instance_id: str) -> list[str]:
    events = stack.call("GET", f"/events?instance_id={instance_id}", status=200)["events"]
    return [event["kind"] for event in reversed(events) if ".volume." in event["kind"]]


def test_it_is_shown_with_its_reason_and_both_are_events(stack: Stack, instance_id: str) -> None:
    until(lambda: shown(stack, instance_id)[0] == "HEALTHY")
    ballast = volume_of(stack, instance_id) / "ballast"
    fill(ballast)
    until(lambda: shown(stack, instance_id)[0] == "BLOCKED", why="a full volume is not shown")
    assert "the volume is full" in shown(stack, instance_id)[1]
    assert kinds(stack, instance_id) == ["instance.volume.full"]
    ballast.unlink()
    until(lambda: shown(stack, instance_id) == ("HEALTHY", ""), why="room is not shown")
    assert kinds(stack, instance_id) == ["instance.volume.full", "instance.volume.relieved"]
