"""A control plane in this process with the local provider, whose agents know a long task."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import select

import trove
from tests.e2e.agent.long_task_plugin.long_task_plugin import Ran, RunUntil
from tests.support import slot
from tests.support.agents import Conductor, task_row
from tests.support.long_tasks import PLUGIN, WAITS
from tests.support.provider import open_to_others, settings_in
from tests.support.waiting import until
from trove.api.app import create_app
from trove.datastores.discovery import installed_engines
from trove.db import Database
from trove.engine import Mode, Operation, Wait, Workflow, step
from trove.models import Instance, Task
from trove.processes import all_processes
from trove.providers import local
from trove.services.discovery import register
from trove.services.installation import Installation
from trove.settings import ConductorSettings
from trove.taskmanager.service import TaskManager
from trove.testing.world.api import RATES, Client, KnownPeople
from trove.vault import load_vault
from trove.workflows import WORKFLOWS
from trove.workflows.context import Context
from trove.workflows.starting import start_on
from trove.workflows.subjects import INSTANCE

ENGINES = ("postgresql", "mariadb")
RESULTS: dict[str, list[int]] = {}
"""Of operations: what each of their tasks has reported to the step."""


class Args(msgspec.Struct):
    file: str


@step
def run_long(ctx: Context[Instance]) -> Wait | None:
    args = msgspec.convert(ctx.operation.args, Args)
    answer = ctx.request(ctx.subject, RunUntil(args.file))
    if isinstance(answer, Wait):
        return answer
    assert isinstance(answer, Ran)
    RESULTS.setdefault(ctx.operation.id, []).append(answer.times)
    return None


LONG = Workflow("test.long", status="", subject=INSTANCE, claim=Mode.SHARED, steps=(run_long,))


def agent_with_plugin(directory: Path) -> Sequence[str]:
    """The agent as it is, and a package with a task of the long lane."""
    plugin = directory / "plugin"
    shutil.copytree(PLUGIN, plugin, dirs_exist_ok=True)
    run = (sys.executable, "-m", "trove.guestagent", "--directory", str(directory))
    path = f"{plugin}:{Path(trove.__file__).parents[1]}"
    return ("/usr/bin/env", f"PYTHONPATH={path}", *run)


@dataclass
class Stack:
    """A control plane in this process, with the local provider and real agents."""

    installation: Installation
    client: Client

    def call(self, method: str, path: str, body: Any = None, *, status: int = 202) -> Any:
        path = f"/v1.0/red-project{path}"
        answer = self.client.request(method, path, json=body, headers={"X-Auth-Token": "red"})
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def create(self, manager: str) -> str:
        flavors = self.call("GET", "/flavors", status=200)["flavors"]
        flavor = next(f for f in sorted(flavors, key=lambda f: f["ram"]) if f["ram"] >= 512)
        wanted = {
            "name": "db",
            "flavorRef": flavor["str_id"],
            "volume": {"size": 1},
            "datastore": {"type": manager},
        }
        made = self.call("POST", "/instances", {"instance": wanted}, status=200)["instance"]["id"]
        until(lambda: self.status(made) in {"ACTIVE", "ERROR"})
        assert self.status(made) == "ACTIVE", self.call("GET", f"/instances/{made}", status=200)
        return str(made)

    def agent_directory(self, instance_id: str) -> Path:
        local_files = self.installation.settings.state_directory / "local"
        (place,) = local_files.glob(f"servers/*{instance_id}/agent/place.json")
        return place.parent

    def status(self, instance_id: str) -> str:
        shown = self.call("GET", f"/instances/{instance_id}", status=200)
        return str(shown["instance"]["status"])

    def delete(self, instance_id: str) -> None:
        self.call("DELETE", f"/instances/{instance_id}")
        path = f"/v1.0/red-project/instances/{instance_id}"
        headers = {"X-Auth-Token": "red"}
        until(lambda: self.client.request("GET", path, headers=headers).status_code == 404)

    def start_long(self, instance_id: str, file: Path) -> tuple[str, str]:
        """Ids of an operation and of its task, whose process is there."""
        inst = self.installation
        with inst.database.begin() as session:
            row = session.get_one(Instance, instance_id)
            args = Args(str(file))
            operation_id = start_on(session, LONG, row, args=args, clock=inst.clock).id
        task_id = str(until(lambda: self._task_of(operation_id)))
        until(lambda: task_row(inst, task_id).note == WAITS, why="the task does not begin")
        return operation_id, task_id

    def operation(self, operation_id: str) -> Operation:
        with self.installation.database.session() as session:
            return session.get_one(Operation, operation_id)

    def create_user(self, instance_id: str, name: str) -> float:
        """How long it takes, in seconds."""
        begun = time.monotonic()
        user = {"name": name, "password": "p1 secret", "databases": []}
        self.call("POST", f"/instances/{instance_id}/users", {"users": [user]})
        return time.monotonic() - begun

    def _task_of(self, operation_id: str) -> str | None:
        with self.installation.database.session() as session:
            found = select(Task.id).where(Task.operation_id == operation_id)
            return session.scalars(found).one_or_none()


def agent_pids(directory: Path) -> list[int]:
    """Of the agent itself: its tasks' processes have other arguments, its supervisors have more."""
    words = [b"-m", b"trove.guestagent", b"--directory", str(directory).encode(), b""]
    found = []
    for process in all_processes():
        with suppress(OSError):
            if process.arguments()[1:] == words:
                found.append(process.pid)
    return found


@contextmanager
def stack_in(directory: Path) -> Iterator[Stack]:
    """Its files are in this directory, through which instances' users must get."""
    open_to_others(directory)
    address = slot.address(72, 90)
    plain = settings_in(directory)
    settings = replace(
        plain,
        conductor=ConductorSettings(bind_host=address, bind_port=slot.free_port(address)),
        api=replace(plain.api, **RATES),
    )
    provider = local.create_provider(settings, agent=agent_with_plugin)
    database = Database(f"sqlite:///{directory}/trove.sqlite")
    database.create_all()
    vault = load_vault(directory / "secrets.key")
    installation = Installation(settings, database, vault, provider.catalog)
    with database.begin() as session:
        register(session, [e for e in installed_engines() if e.manager in ENGINES])
    with ExitStack() as exits:
        exits.enter_context(patch.dict(WORKFLOWS, {LONG.name: LONG}))
        exits.callback(database.dispose)
        conductor = Conductor(installation)
        conductor.start()
        exits.callback(conductor.stop)
        manager = TaskManager(installation, provider)
        manager.start()
        exits.callback(manager.stop)
        client = exits.enter_context(closing(Client(create_app(installation, KnownPeople()))))
        yield Stack(installation, client)
