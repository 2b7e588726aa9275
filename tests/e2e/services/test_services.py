"""The four services apart, several of each on one PostgreSQL: any of them may die at any moment."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.support import slot
from tests.support.metadata import Server
from tests.support.standalone import BIN, Service, make_service
from tests.support.waiting import HANG, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

CONFIGURATION = """\
[DEFAULT]
bind_host = 127.0.0.1
bind_port = {service.api_port}
state_directory = {service.state}
http_get_rate = 100000
[taskmanager]
metrics_port = {metrics}
[database]
connection = {url}
[conductor]
bind_port = {service.conductor_port}
[local]
directory = {service.state}/local
address_pool = {service.pool}
first_uid = {service.first_uid}
"""


@dataclass
class Installation:
    """Configuration, metadata database and running processes."""

    service: Service
    server: Server
    url: str
    metrics: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.service.state / "trove.conf"

    def prepare(self) -> None:
        self.service.state.mkdir(mode=0o711)
        self.file.write_text(
            CONFIGURATION.format(service=self.service, url=self.url, metrics=self.metrics)
        )
        self.manage("db_sync")
        self.manage("datastore_discover")
        self.manage("project_create", "demo")
        self.manage("user_create", "demo", "--project", "demo", "--role", "member", stdin=PASSWORD)

    def manage(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [str(BIN / "trove-manage"), "--config-file", str(self.file), *words],
            input=stdin,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def environ(self) -> dict[str, str]:
        return {k: v for k, v in self.service.environ.items() if not k.startswith("TROVE_")}

    def start(self, name: str) -> None:
        """`api-1` is a trove-api."""
        command = [str(BIN / f"trove-{name.partition('-')[0]}"), "--config-file", str(self.file)]
        environ = self.environ
        if name == "taskmanager-2":
            environ["TROVE_TASKMANAGER_METRICS_PORT"] = str(slot.next_port())
        log = (self.service.state / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        log.close()

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop_all(self) -> list[int]:
        """Exit codes after SIGTERM."""
        for process in self.running.values():
            process.terminate()
        return [process.wait(timeout=HANG) for process in self.running.values()]

    def show_logs(self) -> None:
        """The last lines of each service, for a failed test's report."""
        for log in sorted(self.service.state.glob("*.log")):
            print(log.name, *log.read_text(errors="replace").splitlines()[-8:], sep="\n  ")

    def has_logged(self, name: str, words: str) -> bool:
        return words in (self.service.state / f"{name}.log").read_text(errors="replace")

    def answers(self) -> bool:
        return self.service.is_up()


PASSWORD = "a password of demo"
ALL = ("api-1", "conductor-1", "taskmanager-1", "taskmanager-2")


@pytest.fixture
def installation(postgresql: Server) -> Iterator[Installation]:
    service = make_service()
    cloud = {
        "OS_AUTH_URL": f"http://127.0.0.1:{service.api_port}/identity/v3",
        "OS_USERNAME": "demo",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    service.options = cloud
    made = Installation(service, postgresql, postgresql.new_database(), slot.next_port())
    made.prepare()
    try:
        for name in ALL:
            made.start(name)
        until(made.answers)
        yield made
        for name in list(service.trove("list") or []):
            service.trove("delete", name["id"], "--wait")
    finally:
        # What a failed test leaves would disturb the next one.
        made.stop_all()
        made.show_logs()
        service.remove()


def order(service: Service, name: str, datastore: str) -> None:
    service.trove("create", name, "2", "--size", "1", "--datastore", datastore)


def test_every_process_dies_in_turn(installation: Installation) -> None:
    """While three instances are built, each service is killed once, and so is the database."""
    service = installation.service
    for number, datastore in enumerate(("postgresql", "mariadb", "postgresql")):
        order(service, f"db-{number}", datastore)
    for name in ALL:
        installation.kill(name)
        installation.start(name)
    installation.server.kill()
    installation.server.start()
    until(installation.answers)
    until(lambda: all(service.is_healthy(f"db-{number}") for number in range(3)))


def test_they_wait_for_their_database(installation: Installation) -> None:
    """As after a reboot, when it may be the last to start."""
    assert set(installation.stop_all()) == {0}
    installation.server.kill()
    for name in ALL:
        installation.start(name)
    waiting = "waiting for the metadata database"
    until(lambda: all(installation.has_logged(name, waiting) for name in ALL))
    installation.server.start()
    until(installation.answers)
    order(installation.service, "late", "postgresql")
    until(lambda: installation.service.is_healthy("late"))


def test_one_task_manager_carries_on_alone(installation: Installation) -> None:
    installation.kill("taskmanager-1")
    installation.service.trove(
        "create", "solo", "2", "--size", "1", "--datastore", "postgresql", "--wait"
    )
    assert installation.service.is_healthy("solo")


def test_services_stop_at_a_signal(installation: Installation) -> None:
    service = installation.service
    service.trove("create", "stays", "2", "--size", "1", "--datastore", "mariadb", "--wait")
    assert set(installation.stop_all()) == {0}
    assert service.processes("mariadbd")
    for name in ALL:
        installation.start(name)
    until(installation.answers)
    until(lambda: service.is_healthy("stays"))


def test_every_service_shows_what_it_counts(installation: Installation) -> None:
    service = installation.service
    order(service, "counted", "postgresql")
    until(lambda: service.is_healthy("counted"))
    urls = (
        f"http://127.0.0.1:{service.api_port}",
        f"https://127.0.0.1:{service.conductor_port}",
        f"http://127.0.0.1:{installation.metrics}",
    )
    with urllib3.PoolManager(ca_certs=str(service.state / "ca/ca.crt"), timeout=HANG) as pool:
        for url in urls:
            answer = pool.request("GET", f"{url}/metrics")
            assert answer.status == 200
            assert b"trove_" in answer.data
    assert psutil.Process(installation.running["taskmanager-1"].pid).is_running()
