"""The identity API over HTTP: in this process, and as a process of its own for real clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import urllib3
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.support import slot
from tests.support.identity import PASSWORD, People, people_in
from tests.support.waiting import HANG, until
from trove.api.app import create_app
from trove.db import Database

ROOT = Path(__file__).parents[3]
CLIENTS = Path(os.environ.get("TROVE_OSC_VENV") or ROOT / ".venv-clients")


@pytest.fixture
def people(sqlite_database: Database) -> People:
    return people_in(sqlite_database, public_endpoint="https://db.example.org")


@dataclass(frozen=True)
class Identity:
    """Keystone v3 in this process."""

    client: httpx.AsyncClient
    portal: BlockingPortal
    people: People

    def http(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.portal.call(partial(self.client.request, method, path, **options))

    def call(
        self, method: str, path: str, token: str = "", body: Any = None, **headers: str
    ) -> Any:
        sent = {"X-Auth-Token": token} | headers if token else headers
        return self.http(method, f"/identity/v3{path}", json=body, headers=sent)

    def login(self, name: str, project: str | None = None) -> str:
        answer = self.call("POST", "/auth/tokens", body=login_body(name, project))
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])


def login_body(name: str, project: str | None = None, password: str = PASSWORD) -> dict[str, Any]:
    domain = {"name": "Default"}
    who = {"name": name, "domain": domain, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": who}}}
    if project:
        auth["scope"] = {"project": {"name": project, "domain": domain}}
    return {"auth": auth}


@pytest.fixture
def keystone(people: People) -> Iterator[Identity]:
    app = httpx.ASGITransport(create_app(people.installation), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=app, base_url="http://testserver")
    with start_blocking_portal() as portal:
        yield Identity(client, portal, people)
        portal.call(client.aclose)


@dataclass(frozen=True)
class Service:
    """A trove-api of its own, and who may call it."""

    url: str
    config: Path
    passwords: dict[str, str]

    def manage(self, *words: str, text: str = "") -> str:
        start = "import sys; from trove.cli.manage import main; sys.exit(main())"
        command = [sys.executable, "-c", start, "--config-file", str(self.config)]
        done = subprocess.run(
            [*command, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self, **changes: str) -> dict[str, str]:
        """As after sourcing an openrc file."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.config.parent),
            "OS_AUTH_URL": f"{self.url}/identity/v3",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": "RegionOne",
        } | changes

    def as_user(self, name: str, project: str) -> dict[str, str]:
        return self.environment(
            OS_USERNAME=name,
            OS_PASSWORD=self.passwords[name],
            OS_PROJECT_NAME=project,
            OS_USER_DOMAIN_NAME="Default",
            OS_PROJECT_DOMAIN_NAME="Default",
        )


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """trove-api with two processes on one port, its people made by trove-manage."""
    if not (CLIENTS / "bin" / "openstack").exists():
        if os.environ.get("TROVE_OSC_VENV"):
            pytest.fail(f"no openstack command in {CLIENTS}")
        pytest.skip("no OpenStack client: make clients, or set TROVE_OSC_VENV")
    home = tmp_path_factory.mktemp("identity")
    config, host = home / "trove.conf", slot.address(74, 10)
    config.write_text(
        f"[DEFAULT]\nstate_directory={home}\nbind_host={host}\nprovider=fake\ntrove_api_workers=2\n"
    )
    made = Service(f"http://{host}:8779", config, {"anna": PASSWORD, "bert": PASSWORD})
    made.manage("db_sync")
    for project, user, role in (("shop", "anna", "member"), ("bank", "bert", "admin")):
        made.manage("project_create", project)
        made.manage("user_create", user, "--project", project, "--role", role, text=PASSWORD)
    log = (home / "log").open("wb")
    start = "import sys; from trove.cli.services import api; sys.exit(api())"
    process = subprocess.Popen(
        [sys.executable, "-c", start, "--config-file", str(config)], stdout=log, stderr=log
    )
    try:
        await_answer(f"{made.url}/", process, home / "log")
        yield made
    finally:
        process.terminate()
        assert process.wait(HANG) == 0
        log.close()


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    with urllib3.PoolManager(retries=False, timeout=HANG) as http:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()[-2000:]
            try:
                http.request("GET", url)
            except urllib3.exceptions.HTTPError:
                return False
            return True

        until(answers, f"{url} answers", interval=0.05)
