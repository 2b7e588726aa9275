"""openstacksdk's `conn.database`, unmodified, with a password and with a static token."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.waiting import HANG


@pytest.fixture(scope="module", params=["password", "token"])
def seen(request: pytest.FixtureRequest, live: Live, clients: Path, home: Path) -> dict[str, Any]:
    """What the SDK has seen, reported by its own process."""
    environ = live.with_password() if request.param == "password" else live.with_token()
    done = subprocess.run(
        [clients / "bin" / "python", Path(__file__).with_name("sdk_session.py"), request.param],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)} | environ,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_instance_from_order_to_deletion(seen: dict[str, Any]) -> None:
    assert seen["created"]["name"] == "sdk"
    assert seen["active"]["status"] == "ACTIVE"
    assert seen["listed"] == ["sdk"]
    assert seen["found"] == seen["active"]["id"]
    assert seen["gone"] == []


def test_databases_and_users(seen: dict[str, Any]) -> None:
    assert seen["databases"] == ["app", "shop"]
    assert seen["databases_left"] == ["app"]
    assert seen["users"] == ["clerk", "u"]
    assert seen["users_left"] == ["u"]


def test_root(seen: dict[str, Any]) -> None:
    assert seen["root_before"] is False
    assert seen["root"]


def test_flavors(seen: dict[str, Any]) -> None:
    assert seen["flavor"] == "2"
    assert "2" in seen["flavors"]
