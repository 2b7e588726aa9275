"""A prepared guest of each engine: conductor, agent and engine are real."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from tests.support import slot
from tests.support.agents import (
    Conductor,
    Guest,
    add_instance,
    agent_row,
    conductor_in,
    dispatch_task,
    guest_of,
    invite,
    task_row,
)
from tests.support.waiting import until
from trove.datastores.discovery import installed_engines
from trove.models import Task
from trove.services.installation import Installation

HEARTBEAT = 1.0
PASSWORD = "Tenant's own secret 0x7f"


@dataclass
class Scene:
    """One instance, seen from all sides."""

    conductor: Conductor
    guest: Guest
    instance_id: str
    token: str

    @property
    def installation(self) -> Installation:
        return self.conductor.installation

    def dispatch(self, kind: str, **args: Any) -> str:
        return dispatch_task(self.installation, self.instance_id, kind, **args)

    def answer(self, task_id: str) -> Task:
        until(
            lambda: task_row(self.installation, task_id).answered,
            why=f"no answer; the agent says:\n{self.guest.log()[-3000:]}",
        )
        return task_row(self.installation, task_id)

    def do(self, kind: str, **args: Any) -> dict[str, Any]:
        task = self.answer(self.dispatch(kind, **args))
        assert task.error is None, task.error
        return task.result or {}

    def prepare_args(self) -> dict[str, Any]:
        return {
            "memory": 256,
            "vcpus": 1,
            "databases": [{"name": "app"}],
            "users": [{"name": "tenant", "password": PASSWORD, "databases": ["app"]}],
        }

    def await_state(self, state: str) -> None:
        until(
            lambda: agent_row(self.installation, self.instance_id).engine_state == state,
            why=f"not {state}; the agent says:\n{self.guest.log()[-3000:]}",
        )

    def await_report(self) -> None:
        """One that the agent sends from now on; it looks at its engine as often."""
        last = agent_row(self.installation, self.instance_id).reported_at
        until(lambda: agent_row(self.installation, self.instance_id).reported_at != last)

    def journal(self, task_id: str) -> dict[str, Any]:
        try:
            text = (self.guest.directory / "journal" / f"{task_id}.json").read_text()
        except FileNotFoundError:
            return {}
        return dict(json.loads(text))

    def await_tenant(self) -> None:
        """A tenant's query is answered (again)."""
        until(self._answers, why=f"no query; the agent says:\n{self.guest.log()[-3000:]}")

    def _answers(self) -> bool:
        try:
            return self.query("SELECT 1") == [(1,)]
        except (psycopg.OperationalError, pymysql.OperationalError):
            return False

    def query(
        self,
        statement: str,
        user: str = "tenant",
        password: str = PASSWORD,
        authority: Path | None = None,
    ) -> list[tuple[Any, ...]]:
        """As a tenant, over TLS, trusting the installation's authority alone."""
        authority = authority or self.installation.settings.authority / "ca.crt"
        place = json.loads((self.guest.directory / "place.json").read_text())
        if self.guest.manager == "postgresql":
            with psycopg.connect(
                host=place["address"],
                port=place["port"],
                user=user,
                password=password,
                dbname="app",
                sslmode="verify-full",
                sslrootcert=str(authority),
            ) as link:
                return link.execute(statement.encode()).fetchall()
        connection = pymysql.connect(
            host=place["address"],
            port=place["port"],
            user=user,
            password=password,
            database="app",
            ssl=ssl.create_default_context(cafile=str(authority)),
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def scene_of(manager: str, number: int, directory: Path) -> Iterator[Scene]:
    """A guest that was started and knows nothing yet."""
    if manager not in {engine.manager for engine in installed_engines()}:
        if os.environ.get("TROVE_TESTS_REQUIRE_ENGINES"):
            raise RuntimeError(f"{manager} is not installed")
        pytest.skip(f"{manager} is not installed")
    with (
        conductor_in(directory, slot.address(72, number), heartbeat=HEARTBEAT) as conductor,
        guest_of(manager, number) as guest,
    ):
        instance_id = add_instance(conductor.installation, manager, address=guest.address)
        token = invite(conductor.installation, instance_id)
        guest.settle(conductor.url, token)
        guest.start()
        yield Scene(conductor, guest, instance_id, token)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("postgresql", 10), marks=pytest.mark.engine, id="postgresql"),
        pytest.param(("mariadb", 20), marks=pytest.mark.engine, id="mariadb"),
    ],
)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A prepared guest that a module's tests share; each leaves it running."""
    manager, number = request.param
    with scene_of(manager, number, tmp_path_factory.mktemp("conductor")) as made:
        begun = time.monotonic()
        made.do("prepare", **made.prepare_args())
        print(f"{manager}: prepared in {time.monotonic() - begun:.2f} s")
        yield made
