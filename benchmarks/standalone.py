"""A private service in a directory of its own, and the calls that the benchmarks make to it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from trove.client.cloud import cloud_of
from trove.client.errors import Unreachable
from trove.client.http import Http
from trove.client.session import Session

RUN = os.getpid()
ADDRESS = f"127.76.{128 + RUN % 100}.{1 + RUN // 100 % 250}"
"""Each run has its own, so that several may go on side by side."""
POOL = "127.76.0.0/17"
OPTIONS = {
    "TROVE_DEFAULT_MAX_INSTANCES_PER_TENANT": "1000",
    "TROVE_DEFAULT_MAX_VOLUMES_PER_TENANT": "1000",
    "TROVE_DEFAULT_HTTP_GET_RATE": "1000000",
    "TROVE_DEFAULT_HTTP_POST_RATE": "1000000",
    "TROVE_DEFAULT_HTTP_DELETE_RATE": "1000000",
    "TROVE_CONDUCTOR_BIND_HOST": ADDRESS,
    "TROVE_LOCAL_ADDRESS_POOL": POOL,
    "TROVE_LOCAL_FIRST_UID": "260000",
}
SMALL = "1"
"""The flavor that is ordered."""
LIMIT = 600.0
"""Seconds for anything to come about."""


class WentWrong(Exception):
    """The service did not do what was requested."""


@dataclass
class Standalone:
    """One running service: its process, and a session of its administrator."""

    pid: int
    base: Path
    """Everything of it is below this directory."""
    session: Session
    environ: Mapping[str, str]
    """What its commands need to find it."""

    @property
    def state(self) -> Path:
        return self.base / "state"

    def create(self, name: str, datastore: str, flavor: str = SMALL, size: int = 1) -> str:
        """Request an instance; its id."""
        wanted = {
            "name": name,
            "flavorRef": flavor,
            "volume": {"size": size},
            "datastore": {"type": datastore},
            "databases": [{"name": "app"}],
            "users": [
                {
                    "name": "app_user",
                    "password": secrets.token_urlsafe(12),
                    "databases": [{"name": "app"}],
                }
            ],
        }
        return str(self.session.post("/instances", {"instance": wanted})["instance"]["id"])

    def show(self, instance: str) -> dict[str, Any]:
        found: dict[str, Any] = self.session.get(f"/instances/{instance}")["instance"]
        return found

    def await_active(self, instance: str, every: float = 0.02) -> None:
        """Looks every so many seconds; raises WentWrong, with the fault, when it ends otherwise."""

        def is_active() -> bool:
            seen = self.show(instance)
            if seen["status"] in {"ERROR", "FAILED"}:
                raise WentWrong(f"{instance}: {seen.get('fault')}")
            return bool(seen["status"] == "ACTIVE")

        await_that(is_active, every)

    def delete(self, instance: str) -> None:
        """Request the deletion and wait until nothing is left."""
        self.session.send("DELETE", f"/instances/{instance}")
        await_that(lambda: not self._is_there(instance))

    def _is_there(self, instance: str) -> bool:
        listed = self.session.pages("/instances", "instances")
        return any(each["id"] == instance for each in listed)

    def memory(self) -> float:
        """MiB of the service's processes, agents and engines not counted."""
        service = psutil.Process(self.pid)
        supervisor = psutil.Process(int((self.state / "supervisor.lock").read_text()))
        return resident(service) + resident(supervisor)

    def agents(self) -> list[psutil.Process]:
        """The agents that this service's instances have."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "trove.guestagent" in words[:4] and words[-1].startswith(str(self.base)):
                found.append(process)
        return found


@contextmanager
def private_standalone(options: Mapping[str, str] | None = None) -> Iterator[Standalone]:
    """A service that nothing else uses; everything of it is gone afterwards."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    base = Path(tempfile.mkdtemp(prefix="trove-bench-", dir="/var/tmp"))
    base.chmod(0o711)
    environ = _environment(base) | dict(options or {})
    command = [str(Path(sys.executable).with_name("trove-standalone")), "--bind-host", ADDRESS]
    with (base / "log").open("wb") as log:
        process = subprocess.Popen([*command, "start"], env=environ, stdout=log, stderr=log)
    try:
        await_that(lambda: _is_up(process, base, environ))
        cloud = cloud_of({}, environ)
        session = Session(cloud, Http(cloud))
        await_that(lambda: _answers(session))
        pid = int((base / "state" / "standalone.lock").read_text())
        yield Standalone(pid, base, session, environ)
    except BaseException:
        print((base / "log").read_text(errors="replace")[-4000:], file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait(timeout=60)
        with (base / "log").open("ab") as log:
            subprocess.run([*command, "remove", "--yes"], env=environ, check=True, stdout=log)
        shutil.rmtree(base)


def resident(process: psutil.Process) -> float:
    """MiB of resident memory."""
    return float(process.memory_info().rss) / 2**20


def await_that(condition: Callable[[], bool], every: float = 0.02) -> None:
    """Raises WentWrong when the time is over."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise WentWrong("this takes too long")
        time.sleep(every)


def _environment(base: Path) -> dict[str, str]:
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "TROVE_"))}
    return (
        mine
        | OPTIONS
        | {
            "TROVE_STATE_DIRECTORY": str(base / "state"),
            "TROVE_LOCAL_DIRECTORY": str(base / "local"),
            "XDG_CONFIG_HOME": str(base / "config"),
            "XDG_CACHE_HOME": str(base / "cache"),
        }
    )


def _is_up(process: subprocess.Popen[bytes], base: Path, environ: Mapping[str, str]) -> bool:
    if process.poll() is not None:
        raise WentWrong("the service ended")
    return (base / "config" / "trove" / "clouds.yaml").exists()


def _answers(session: Session) -> bool:
    try:
        session.get("/instances")
    except Unreachable:
        return False
    return True
