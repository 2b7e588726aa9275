"""A real conductor on a loopback address, and real agent processes under a user of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from tests.support import slot
from tests.support.waiting import until
from trove.conductor import create_app
from trove.datastores import manifest_of
from trove.datastores.discovery import installed_engines
from trove.db import Database, new_id
from trove.engine import ClaimRequest, Operation
from trove.engine.claims import acquire
from trove.models import Agent, Datastore, DatastoreVersion, Instance, Task
from trove.models.agent import enrolment_token_of
from trove.models.agent import invite as invite_agent
from trove.models.task import dispatch
from trove.providers.base import Flavor, Scope, VolumeType
from trove.services.installation import Installation
from trove.settings import ConductorSettings, Settings, TimingSettings
from trove.vault import load_vault

UNPRIVILEGED = 65534
"""Initdb wants a user with a name."""
ACCOUNT_CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("create_databases", {"databases": [{"name": "new"}, {"name": "newer"}]}),
    ("delete_database", {"name": "mine"}),
    ("create_users", {"users": [{"name": "ann", "password": "p", "databases": ["old"]}]}),
    ("update_user", {"name": "bob", "new_name": "rob", "new_password": "x"}),
    ("update_user", {"name": "bob", "new_password": "x"}),
    ("change_passwords", {"users": [{"name": "bob", "password": "q"}]}),
    ("delete_user", {"name": "bob"}),
    ("grant", {"name": "bob", "databases": ["old"]}),
    ("revoke", {"name": "bob", "database": "mine"}),
    ("enable_root", {"password": "r"}),
    ("disable_root", {}),
]
"""Each task that changes accounts; there are databases `old` and `mine`, and `bob` of `mine`."""


class EmptyCatalog:
    """A catalog with nothing on it."""

    def within(self, scope: Scope) -> EmptyCatalog:
        return self

    def flavors(self) -> list[Flavor]:
        return []

    def volume_types(self) -> list[VolumeType]:
        return []

    def availability_zones(self) -> list[str]:
        return []

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> None:
        """Any will do: no server is made."""

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """Any will do."""


def installation_in(directory: Path, url: str | None = None, **conductor: Any) -> Installation:
    """An installation with its tables, by default on SQLite."""
    heartbeat = conductor.pop("heartbeat", 10.0)
    settings = Settings(
        state_directory=directory,
        conductor=ConductorSettings(**conductor),
        timing=TimingSettings(agent_heartbeat_time=heartbeat),
    )
    database = Database(url or f"sqlite:///{directory}/trove.sqlite")
    database.create_all()
    vault = load_vault(directory / "secrets.key")
    return Installation(settings, database, vault, EmptyCatalog())


def add_instance(installation: Installation, manager: str = "postgresql", **columns: Any) -> str:
    """A row for an instance, and what it refers to; its id."""
    with installation.database.begin() as session:
        store = Datastore(id=new_id(), name=f"{manager}-{new_id()[:8]}")
        session.add(store)
        session.flush()
        version = DatastoreVersion(
            id=new_id(), datastore_id=store.id, name="1", number="1", manager=manager
        )
        session.add(version)
        session.flush()
        instance = Instance(
            id=new_id(),
            project_id="p",
            name="i",
            datastore_version_id=version.id,
            flavor_id="2",
            memory=512,
            vcpus=1,
            volume_size=1,
            **columns,
        )
        session.add(instance)
    return instance.id


def add_operation(installation: Installation, subject_id: str) -> str:
    """An operation that waits for an hour unless it is woken; its id."""
    with installation.database.begin() as session:
        operation = Operation(workflow="w", subject_id=subject_id, step="s")
        session.add(operation)
        session.flush()
        acquire(session, operation.id, [ClaimRequest(subject_id)])
    return operation.id


def invite(installation: Installation, instance_id: str, seconds: float = 3600) -> str:
    """The one-time token of the instance's agent."""
    with installation.database.begin() as session:
        invite_agent(
            session, installation.vault, instance_id, clock=installation.clock, seconds=seconds
        )
    return enrolment_token_of(installation.vault, instance_id)


def dispatch_task(installation: Installation, instance_id: str, kind: str, **args: Any) -> str:
    """A task for the agent; its id."""
    with installation.database.begin() as session:
        return dispatch(session, instance_id, kind, sealed=installation.vault.seal(args)).id


def agent_row(installation: Installation, instance_id: str) -> Agent:
    with installation.database.session() as session:
        return session.get_one(Agent, instance_id)


def task_row(installation: Installation, task_id: str) -> Task:
    with installation.database.session() as session:
        return session.get_one(Task, task_id)


@dataclass
class Conductor:
    """The conductor of an installation in a thread of this process."""

    installation: Installation
    server: uvicorn.Server | None = None
    thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return self.installation.settings.conductor.url

    def start(self) -> None:
        self.app = create_app(self.installation)
        conductor = self.installation.settings.conductor
        config = uvicorn.Config(
            self.app,
            host=conductor.bind_host,
            port=conductor.bind_port,
            log_level="error",
            lifespan="off",
            ssl_certfile=conductor.tls_certificate,
            ssl_keyfile=conductor.tls_private_key,
            timeout_graceful_shutdown=2,
        )
        server = self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=server.run, daemon=True)
        self.thread.start()
        until(lambda: server.started, why="the conductor did not start")

    def stop(self) -> None:
        if self.server is not None and self.thread is not None:
            self.app.state.release()
            self.server.should_exit = True
            self.thread.join(20)
            assert not self.thread.is_alive()
            self.server = None


@contextmanager
def conductor_in(
    directory: Path, address: str | None = None, **options: Any
) -> Iterator[Conductor]:
    address = address or slot.address(72)
    options = {"bind_host": address, "bind_port": slot.free_port(address), **options}
    conductor = Conductor(installation_in(directory, **options))
    conductor.start()
    try:
        yield conductor
    finally:
        conductor.stop()
        conductor.installation.database.dispose()


@dataclass
class Guest:
    """One agent process, its engine and its files; everything runs as `uid`."""

    manager: str
    address: str
    uid: int
    root: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.root / "agent"

    @property
    def port(self) -> int:
        return int(json.loads((self.directory / "place.json").read_text())["port"])

    def settle(self, url: str, token: str, authority: str | None = None) -> None:
        """Write what the provider and the control plane write."""
        found = [i for i in installed_engines() if i.manager == self.manager]
        place = {name: str(self.root / name) for name in ("data", "run", "config", "logs")} | {
            "manager": self.manager,
            "version": found[0].version,
            "binaries": str(found[0].directory),
            "address": self.address,
            "port": manifest_of(self.manager).port,
            "memory": 256,
            "vcpus": 1,
        }
        start = {"conductor_url": url, "token": token, "authority": authority}
        for name in ("agent", "data", "run", "config", "logs"):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
        (self.directory / "place.json").write_text(json.dumps(place))
        (self.directory / "agent.json").write_text(json.dumps(start))
        if os.geteuid() == 0:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, self.uid, self.uid)

    def start(self) -> None:
        drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        command = [sys.executable, "-m", "trove.guestagent", "--directory", str(self.directory)]
        with (self.root / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*(drop if os.geteuid() == 0 else ()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ) | self.environment,
                cwd="/",
            )

    def log(self) -> str:
        return (self.root / "agent.log").read_text()

    def kill(self) -> None:
        """As the kernel would: the engine stays."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def end(self) -> int:
        """Stop it, engine and all; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def processes(self, program: str = "") -> list[int]:
        """The pids of this guest's processes that run this program, or any."""
        pids = [pid for pid in _pids() if str(self.root) in _traces_of(pid)]
        return [pid for pid in pids if program in ("", _program_of(pid)) and pid != os.getpid()]

    def engine_pid(self) -> int:
        """Of the engine's first process."""
        pids = self.processes(manifest_of(self.manager).program)
        return min((p for p in pids if _parent_of(p) not in pids), default=0)

    def remove(self) -> None:
        """End what is left and remove every file."""
        if self.process is not None and self.process.poll() is None:
            self.end()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def guest_of(
    manager: str, number: int, environment: dict[str, str] | None = None
) -> Iterator[Guest]:
    """A guest without files; short paths, because sockets are in there."""
    root = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    uid = UNPRIVILEGED if os.geteuid() == 0 else os.geteuid()
    guest = Guest(manager, slot.address(73, number), uid, root, environment=environment or {})
    try:
        yield guest
    finally:
        guest.remove()


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _traces_of(pid: int) -> str:
    """Its command line and its directory."""
    process = Path(f"/proc/{pid}")
    try:
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return f"{command} {(process / 'cwd').readlink()}"
    except OSError:
        return ""


def _program_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0
