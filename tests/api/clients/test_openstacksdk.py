"""openstacksdk's `conn.database`, unmodified, with a password and with a static token."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module", params=["password", "token"])
def told(request, live, clients, home):
    """What the SDK has seen, as its own process tells."""
    environ = live.with_password() if request.param == "password" else live.with_token()
    done = subprocess.run(
        [clients / "bin" / "python", Path(__file__).with_name("sdk_session.py"), request.param],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)} | environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_instance_from_order_to_deletion(told):
    assert told["created"]["name"] == "sdk"
    assert told["active"]["status"] == "ACTIVE"
    assert told["listed"] == ["sdk"]
    assert told["found"] == told["active"]["id"]
    assert told["gone"] == []


def test_databases_and_users(told):
    assert told["databases"] == ["app", "shop"]
    assert told["databases_left"] == ["app"]
    assert told["users"] == ["clerk", "u"]
    assert told["users_left"] == ["u"]


def test_root(told):
    assert told["root_before"] is False
    assert told["root"]


def test_flavors(told):
    assert told["flavor"] == "2"
    assert "2" in told["flavors"]
