"""The services as processes: they start, serve, survive a death among them, and stop."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.support import slot
from tests.support.slot import free_port
from tests.support.waiting import HANG, until
from trove import migrations
from trove.cli import services
from trove.cli.services import status
from trove.cli.services.web_server import GRACE

LONG = 2 * HANG
HOST = slot.address(74, 20)


class Deployment:
    """An installation whose services are started by a test, and ended after it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {name: free_port(HOST) for name in ("api", "conductor", "taskmanager")}
        self.config = home / "trove.conf"
        self.running: list[subprocess.Popen[bytes]] = []
        self.write()
        migrations.upgrade(f"sqlite:///{home}/trove.sqlite")

    def write(self, workers: int = 1) -> None:
        self.config.write_text(
            f"[DEFAULT]\nprovider=fake\nstate_directory={self.home}\nbind_host={HOST}\n"
            f"bind_port={self.ports['api']}\ntrove_api_workers={workers}\n"
            f"[conductor]\nbind_host={HOST}\nbind_port={self.ports['conductor']}\n"
            f"[taskmanager]\nmetrics_host={HOST}\nmetrics_port={self.ports['taskmanager']}\n"
        )

    def start(
        self,
        name: str,
        *words: str,
        grace: float = GRACE,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """`grace` is how many seconds calls may go on once the service is to stop."""
        start = (
            f"import sys; from trove.cli.services import {name}, web_server;"
            f"web_server.GRACE = {grace}; sys.exit({name}())"
        )
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", start, "--config-file", str(self.config), *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environ or {})},
            )
        self.running.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def get(self, name: str, path: str) -> urllib3.BaseHTTPResponse:
        authority = self.home / "ca/ca.crt"
        trust = str(authority) if authority.exists() else None
        scheme = "https" if name == "conductor" else "http"
        with urllib3.PoolManager(retries=False, timeout=10, ca_certs=trust) as pool:
            return pool.request("GET", f"{scheme}://{HOST}:{self.ports[name]}{path}")

    def await_healthy(self, name: str) -> None:
        def is_healthy() -> bool:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                return self.get(name, "/healthcheck").status == 200
            return False

        until(is_healthy, lambda: self.log(name))


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.terminate()
            process.wait(HANG)


@pytest.mark.parametrize("name", ["api", "conductor", "taskmanager"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_cleanly(
    deployment: Deployment, name: str, number: signal.Signals
) -> None:
    process = deployment.start(name)
    deployment.await_healthy(name)
    assert b"# HELP" in deployment.get(name, "/metrics").data
    process.send_signal(number)
    assert process.wait(HANG) == 0, deployment.log(name)


def test_several_processes_share_the_port_and_the_counters(deployment: Deployment) -> None:
    deployment.write(workers=2)
    parent = deployment.start("api")
    deployment.await_healthy("api")

    def workers() -> set[int]:
        return {child.pid for child in psutil.Process(parent.pid).children()}

    until(lambda: len(workers()) == 2, lambda: deployment.log("api"))
    before = workers()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers() - {victim}) == 2, lambda: deployment.log("api"))
    for _ in range(20):
        assert deployment.get("api", "/").status == 200
    shown = deployment.get("api", "/metrics").data.decode()
    counted = [line for line in shown.splitlines() if 'route="/",status="200"' in line]
    assert sum(float(line.split()[-1]) for line in counted) == 20
    assert f"process {victim} died" in deployment.log("api")
    parent.terminate()
    assert parent.wait(HANG) == 0
    assert not any(psutil.pid_exists(pid) for pid in before)


def test_a_worker_that_does_not_end_is_ended(deployment: Deployment) -> None:
    deployment.write(workers=2)
    parent = deployment.start("api")
    deployment.await_healthy("api")
    until(lambda: len(psutil.Process(parent.pid).children()) == 2, lambda: deployment.log("api"))
    stuck = psutil.Process(parent.pid).children()[0].pid
    os.kill(stuck, signal.SIGSTOP)
    parent.terminate()
    assert parent.wait(HANG) == 0
    until(lambda: not psutil.pid_exists(stuck), lambda: deployment.log("api"))


def test_a_port_that_is_taken_is_reported(deployment: Deployment) -> None:
    for name in ("api", "conductor", "taskmanager"):
        with socket.socket() as taken:
            taken.bind((HOST, deployment.ports[name]))
            taken.listen()
            assert deployment.start(name).wait(HANG) == 1
        assert f"cannot listen on {HOST}:{deployment.ports[name]}" in deployment.log(name)


def test_an_agent_that_rests_does_not_hold_up_the_end(deployment: Deployment) -> None:
    process = deployment.start("conductor", grace=LONG)
    deployment.await_healthy("conductor")
    context = ssl.create_default_context(cafile=str(deployment.home / "ca/ca.crt"))
    agent = http.client.HTTPSConnection(HOST, deployment.ports["conductor"], context=context)
    with contextlib.closing(agent):
        agent.request("GET", "/healthcheck")
        agent.getresponse().read()
        process.terminate()
        assert process.wait(HANG) == 0, deployment.log("conductor")


def test_the_conductors_key_is_its_own(deployment: Deployment) -> None:
    deployment.start("conductor")
    deployment.await_healthy("conductor")
    assert (deployment.home / f"ca/conductor-{HOST}.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(urllib3.exceptions.HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib3.request("GET", f"https://{HOST}:{deployment.ports['conductor']}/", retries=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_api_shows_a_certificate_of_the_authority(deployment: Deployment, workers: int) -> None:
    deployment.write(workers)
    with deployment.config.open("a") as file:
        file.write("[api]\ntls=on\n")
    process = deployment.start("api")
    url = f"https://{HOST}:{deployment.ports['api']}/"
    authority = deployment.home / "ca/ca.crt"

    def answers() -> bool:
        if not authority.exists():
            return False
        with (
            contextlib.suppress(urllib3.exceptions.HTTPError),
            urllib3.PoolManager(retries=False, timeout=10, ca_certs=str(authority)) as pool,
        ):
            return url in pool.request("GET", url).data.decode()
        return False

    until(answers, lambda: deployment.log("api"))
    assert (deployment.home / f"ca/api-{HOST}.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(urllib3.exceptions.HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib3.request("GET", url, retries=False)
    process.terminate()
    assert process.wait(HANG) == 0


@pytest.mark.parametrize("name", ["api", "conductor"])
def test_an_init_system_keeps_the_socket(deployment: Deployment, name: str) -> None:
    """It is sent to it, and another process cannot bind the port once the service is killed."""
    path = deployment.home / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as keeper:
        keeper.bind(str(path))
        keeper.settimeout(HANG)
        process = deployment.start(name, environ={"NOTIFY_SOCKET": str(path)})
        message, passed, _, _ = socket.recv_fds(keeper, 4096, 1)
        assert message == f"FDSTORE=1\nFDNAME={name}".encode()
        deployment.await_healthy(name)
        process.kill()
        process.wait()
        with socket.socket(fileno=passed[0]) as kept, socket.socket() as other:
            assert kept.getsockname() == (HOST, deployment.ports[name])
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="Address already in use"):
                other.bind((HOST, deployment.ports[name]))


UNITS = Path(__file__).resolve().parents[4] / "packaging" / "systemd"


@pytest.mark.parametrize("name", ["api", "conductor", "standalone"])
def test_the_units_let_systemd_keep_the_sockets(name: str) -> None:
    lines = (UNITS / f"trove-{name}.service").read_text().splitlines()
    assert "NotifyAccess=main" in lines
    assert "FileDescriptorStoreMax=4" in lines


def test_behind_a_public_url_the_conductor_is_as_the_operator_wants_it(
    deployment: Deployment,
) -> None:
    with deployment.config.open("a") as file:
        file.write("[conductor]\npublic_url=https://conductor.example.org\n")
    deployment.start("conductor")
    plain = f"http://{HOST}:{deployment.ports['conductor']}/healthcheck"

    def answers() -> bool:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return urllib3.request("GET", plain, retries=False, timeout=5).status == 200
        return False

    until(answers, lambda: deployment.log("conductor"))


def test_it_may_hold_calls_of_thousands(deployment: Deployment) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        process = deployment.start("conductor")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    deployment.await_healthy("conductor")
    assert psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE) == (min(hard, 65_536), hard)


def test_a_schema_of_another_release_is_reported(deployment: Deployment) -> None:
    (deployment.home / "trove.sqlite").unlink()
    assert deployment.start("api").wait(HANG) == 1
    assert "run `trove-manage db_sync`" in deployment.log("api")


def test_a_wrong_setting_is_reported(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    with deployment.config.open("a") as file:
        file.write("[api]\nauth=unknown\n")
    assert services.api(["--config-file", str(deployment.config)]) == 1
    assert "[api] auth = 'unknown': must be one of" in capsys.readouterr().err


def test_a_certificate_that_cannot_be_used_is_reported(deployment: Deployment) -> None:
    with deployment.config.open("a") as file:
        file.write("[conductor]\ntls_certificate=/nowhere.crt\ntls_private_key=/nowhere.key\n")
    assert deployment.start("conductor").wait(HANG) == 1
    assert "the certificate /nowhere.crt cannot be used" in deployment.log("conductor")


def test_the_health_of_a_task_manager_is_that_of_its_database(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trove.db import Database
    from trove.services.installation import Installation
    from trove.settings import Settings
    from trove.vault import Vault

    database = Database(f"sqlite:///{deployment.home}/trove.sqlite")
    key = b"c29tZSBrZXkgb2YgMzIgYnl0ZXMsIGJhc2U2NCBvayE="
    installation = Installation(Settings(), database, Vault(key), None)  # type: ignore[arg-type]
    assert services._health_error(installation) is None
    database.dispose()
    gone = Database(f"sqlite:///{deployment.home}/nowhere/trove.sqlite")
    installation = Installation(Settings(), gone, Vault(key), None)  # type: ignore[arg-type]
    assert services._health_error(installation) == "The metadata database does not answer."
    gone.dispose()


def test_the_upgrade_check(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    check = ["upgrade", "check", "--config-file", str(deployment.config)]
    assert status.main(check) == 0
    assert capsys.readouterr().out.count("Success") == 3
    with deployment.config.open("a") as file:
        file.write("threds=3\n")
    assert status.main(check) == 1
    assert "did you mean threads?" in capsys.readouterr().out
    (deployment.home / "trove.sqlite").unlink()
    assert status.main(check) == 2
    assert "at revision none: run `trove-manage db_sync`" in capsys.readouterr().out


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_options_of_the_upgrade_check_may_stand_anywhere(
    deployment: Deployment, place: int
) -> None:
    words = ["upgrade", "check"]
    words[place:place] = ["--config-file", str(deployment.config)]
    assert status.main(words) == 0


@pytest.mark.parametrize("words", [[], ["upgrade"], ["upgrade", "chekc"]])
def test_there_is_but_one_check(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        status.main(words)


def test_the_upgrade_check_of_what_cannot_be_read(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["upgrade", "check", "--config-file", str(deployment.config)]
    deployment.config.write_text("[database]\nconnection=sqlite:////nowhere/trove.sqlite\n")
    assert status.main(check) == 2
    assert "unable to open database file" in capsys.readouterr().out
    deployment.config.write_text("[DEFAULT]\nbind_port=x\n")
    assert status.main(check) == 2
    assert "must be a whole number" in capsys.readouterr().out


def test_the_upgrade_check_knows_managers(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{deployment.home}/trove.sqlite")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO datastores (id, name, created_at) VALUES ('d','d','2026-01-01')")
        )
        connection.execute(
            text(
                "INSERT INTO datastore_versions (id, datastore_id, name, number, manager,"
                " image_tags, packages, active, created_at)"
                " VALUES ('v','d','1','1','oracle','[]','[]',1,'2026-01-01')"
            )
        )
    engine.dispose()
    assert status.main(["upgrade", "check", "--config-file", str(deployment.config)]) == 2
    assert "no package for: oracle" in capsys.readouterr().out
