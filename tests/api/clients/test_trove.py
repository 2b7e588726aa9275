"""Our own `trove` against the real API: the same path, and what the older clients lack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.live import Live
from tests.support.waiting import HANG
from trove.cli.trove import main

from .conftest import Done

Trove = Callable[..., Done]


@pytest.fixture(params=["password", "token"])
def trove(
    request: pytest.FixtureRequest,
    live: Live,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Trove:
    environ = live.with_password() if request.param == "password" else live.with_token()
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Done:
        code = main(words)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


def names(done: Done, key: str = "name") -> set[str]:
    return {each[key] for each in done.json}


def test_the_whole_path(trove: Trove, live: Live) -> None:
    line = "--json create mine 2 --size 1 --datastore postgresql --databases app"
    created = trove(*line.split(), "--users", "u:secret", "--wait")
    assert created.json["status"] == "ACTIVE"
    assert "instance.create" in created.err
    assert names(trove("--json", "list")) == {"mine"}

    assert trove("database-create", "mine", "shop").code == 0
    assert names(trove("--json", "database-list", "mine")) == {"app", "shop"}
    assert trove("database-delete", "mine", "shop").code == 0
    assert trove("user-create", "mine", "clerk", "a-password", "--databases", "app").code == 0
    assert names(trove("--json", "user-list", "mine")) == {"u", "clerk"}
    assert names(trove("--json", "user-show-access", "mine", "clerk")) == {"app"}
    assert trove("user-revoke-access", "mine", "clerk", "app").code == 0
    assert trove("user-grant-access", "mine", "clerk", "app").code == 0
    assert trove("user-update-attributes", "mine", "clerk", "--new_name", "waiter").code == 0
    assert trove("user-delete", "mine", "waiter").code == 0
    assert trove("--json", "root-show", "mine").json == {"rootEnabled": False}
    assert trove("--json", "root-enable", "mine").json["password"]
    assert trove("root-disable", "mine").code == 0

    assert trove("restart", "mine", "--wait").code == 0
    assert trove("resize-volume", "mine", "2", "--wait").code == 0
    assert trove("--json", "resize-instance", "mine", "3", "--wait").code == 0
    assert trove("--json", "show", "mine").json["volume"]["size"] == 2
    assert trove("update", "mine", "--name", "ours").code == 0

    operations = trove("--json", "operation-list", "--instance", "ours").json
    assert operations[0]["workflow"].startswith("instance.resize")
    assert operations[-1]["workflow"] == "instance.create"
    assert "(done)" in trove("operation-show", operations[-1]["id"]).out
    assert trove("operation-watch", "ours").code == 0
    assert "HTTP 409" in trove("operation-cancel", operations[-1]["id"]).err
    assert "user.create" in {each["kind"] for each in trove("--json", "event-list").json}

    assert trove("delete", "ours", "--wait").code == 0
    assert trove("--json", "list").json == []


def test_forcing(trove: Trove) -> None:
    assert trove("create", "doomed", "2", "--size", "1", "--datastore", "mariadb").code == 0
    assert trove("force-delete", "doomed", "--wait").code == 0
    assert trove("--json", "list").json == []


def test_resetting_is_for_administrators(
    trove: Trove, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = trove("--json", "create", "odd", "2", "--size", "1", "--wait").json
    refused = trove("reset-status", "odd")
    assert refused.err.endswith("(HTTP 403)\n")
    monkeypatch.setenv("OS_TOKEN", live.admin_token)
    monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
    monkeypatch.setenv("OS_ENDPOINT", live.endpoint)
    assert trove("reset-status", created["id"]).code == 0
    assert trove("delete", "odd", "--wait").code == 0


def test_the_catalog(trove: Trove, live: Live) -> None:
    assert names(trove("--json", "datastore-list")) == {"postgresql", "mariadb"}
    assert trove("datastore-show", "postgresql").code == 0
    assert names(trove("--json", "datastore-version-list", "postgresql")) == {"15"}
    line = "--json datastore-version-show 15 --datastore postgresql"
    assert trove(*line.split()).json["name"] == "15"
    assert trove("--json", "flavor-show", "2").json["str_id"] == "2"
    assert trove("flavor-list").code == 0
    assert trove("limit-list").code == 0
    assert "instances" in trove("quota-show", live.project_id).out


@pytest.mark.parametrize("trove", ["password"], indirect=True)
def test_quotas_of_a_project_by_its_name(
    trove: Trove, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trove("--json", "quota-show", "demo").json == (
        trove("--json", "quota-show", live.project_id).json
    )
    assert "no project with the name or id 'unknown'" in trove("quota-show", "unknown").err
    for name, value in live.with_password("root").items():
        monkeypatch.setenv(name, value)
    assert trove("--json", "quota-update", "demo", "instances", "12").json == {"instances": 12}
    assert "(HTTP 404)" in trove("quota-update", "unknown", "instances", "12").err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("show unknown", 404),
        ("create x 99 --size 1", 404),
        ("create x 2 --size 0", 400),
        ("create x 2 --size 1 --datastore nothing", 400),
        ("create x 2 --size 1 --replica_of x", 404),
        ("create x 2 --size 1 --replica_count 2", 400),
    ],
)
def test_errors_have_the_code(trove: Trove, line: str, code: int) -> None:
    done = trove(*line.split())
    assert done.code == 1
    assert done.err.startswith("ERROR: ")
    assert done.err.endswith(f"(HTTP {code})\n")


def test_a_wrong_password(trove: Trove, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (live.with_password() | {"OS_PASSWORD": "wrong"}).items():
        monkeypatch.setenv(name, value)
    for name in ("OS_AUTH_TYPE", "OS_ENDPOINT", "OS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    done = trove("list")
    assert done.code == 1
    assert "rejects alice" in done.err


def test_the_authority_is_handed_out(trove: Trove) -> None:
    assert trove("ca-show").out.startswith("-----BEGIN CERTIFICATE-----")


def test_an_application_credential(live: Live, tmp_path: Path) -> None:
    """As a process of its own, with nothing but the credential."""
    from trove.services.identity import NewCredential, create_credential

    credential, secret = create_credential(
        live.world.installation, live.alice_id, live.project_id, NewCredential(name="robot")
    )
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": live.auth_url,
        "OS_APPLICATION_CREDENTIAL_ID": credential.id,
        "OS_APPLICATION_CREDENTIAL_SECRET": secret,
    }
    done = subprocess.run(
        [sys.executable, "-m", "trove.cli.trove", "--json", "flavor-list"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
