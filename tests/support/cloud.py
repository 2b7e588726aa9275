"""A whole control plane in one process, with a clock, agents and points at which it dies.

The provider and the agents are the shipped fakes, the metadata is a real SQLite file, and agents
call a real conductor.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from trove.conductor import create_app as conductor_of
from trove.db import Clock, Database
from trove.engine import ACTIVE, Operation, Runner, active_of, ensure_periodic
from trove.models import Datastore, DatastoreVersion, QuotaUsage
from trove.providers.base import Capability
from trove.providers.fake import FakeWorld, Switches, provider_of
from trove.services import instances
from trove.services.installation import Caller, Installation
from trove.services.instance_order import InstanceOrder
from trove.settings import Settings
from trove.taskmanager.service import environment_of, record_end
from trove.testing import AppCalls, FakeAgents, ManualClock
from trove.vault import Vault
from trove.workflows import PERIODIC, WORKFLOWS
from trove.workflows.context import Context

KEY = b"c29tZSBrZXkgb2YgMzIgYnl0ZXMsIGJhc2U2NCBvayE="
START = datetime.fromisoformat("2030-01-01T00:00:00+00:00")
LEASE = timedelta(seconds=20)


@cache
def empty_metadata() -> bytes:
    """A SQLite file with every table, made once."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "empty.sqlite"
        database = Database(f"sqlite:///{path}")
        database.create_all()
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.dispose()
        return path.read_bytes()


def _do_not_sync(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


class Crash(BaseException):
    """The process dies here."""


class Cloud:
    """Orders are given with `services`, carried out with `drain`."""

    def __init__(
        self,
        directory: Path,
        url: str | None = None,
        *,
        switches: Switches | None = None,
        capabilities: frozenset[Capability] = frozenset({Capability.ONLINE_VOLUME_GROW}),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.clock = ManualClock(START, tick=timedelta(microseconds=1))
        self.settings = Settings(state_directory=directory)
        if url is None:
            (directory / "trove.sqlite").write_bytes(empty_metadata())
        self.database = Database(url or f"sqlite:///{directory}/trove.sqlite")
        if self.database.is_embedded:
            event.listen(self.database.engine, "connect", _do_not_sync)
        self.world = FakeWorld(hook=self.point, switches=switches)
        self.provider = provider_of(self.world, capabilities)
        self.installation = Installation(
            self.settings, self.database, Vault(KEY), self.provider.catalog, self.clock
        )
        self.caller = Caller("project-1", "user-1", request_id="req-1")
        self.points: Iterator[int] = itertools.count()
        self.trace: list[str] = []
        self.at: Callable[[int, str], None] = lambda number, name: None
        self.answers = True
        self.agents = FakeAgents(self.world, AppCalls(conductor_of(self.installation)))
        with self.database.begin() as session:
            self._register(session)

    def use(self, clock: Clock) -> None:
        """Another clock than the one that tests move."""
        self.installation = replace(self.installation, clock=clock)
        self.agents = FakeAgents(self.world, AppCalls(conductor_of(self.installation)))

    def _register(self, session: Session) -> None:
        datastore = Datastore(id="ds-1", name="postgresql")
        session.add(datastore)
        session.add(
            DatastoreVersion(
                id="v-1", datastore=datastore, name="15", number="15.20", manager="postgresql"
            )
        )

    def point(self, name: str) -> None:
        """Something is about to happen, or has just happened."""
        self.trace.append(name)
        self.at(next(self.points), name)

    def reset(self) -> None:
        self.points, self.at = itertools.count(), lambda number, name: None
        self.trace.clear()

    def runner(self) -> Runner:
        environment = environment_of(self.installation, self.provider)
        return Runner(
            self.database,
            WORKFLOWS,
            lambda session, operation: Context(session, operation, environment),
            clock=self.clock,
            lease=LEASE,
            on_end=record_end,
            settings=self.settings,
            checkpoint=self.point,
        )

    def drain(self, rounds: int = 30) -> None:
        """Let time pass until nothing is due any more, or for so many rounds of a minute."""
        for _ in range(rounds):
            try:
                self.runner().run_until_idle()
                if self.answers:
                    self.agents.run()
            except Crash:
                self.clock.advance(LEASE.total_seconds())
            if not self.active():
                return
            self.clock.advance(61)

    def active(self) -> list[Operation]:
        with self.database.session() as session:
            return list(session.scalars(select(Operation).where(Operation.state.in_(ACTIVE))))

    def start_rounds(self, *names: str) -> None:
        """Start these periodic workflows, or every one."""
        for name in names or PERIODIC:
            ensure_periodic(self.database, WORKFLOWS[name], clock=self.clock)

    def order(self, **fields: Any) -> str:
        """An instance that is being built; its id."""
        known: dict[str, Any] = {"name": "db", "flavor_id": "2", "volume_size": 1}
        order = InstanceOrder(**(known | fields))
        return instances.create(self.installation, self.caller, order).row.id

    def built(self, **fields: Any) -> str:
        """An instance that works; its id."""
        instance_id = self.order(**fields)
        self.drain()
        self.reset()
        return instance_id

    def show(self, instance_id: str) -> Any:
        return instances.show(self.installation, self.caller, instance_id)

    def words(self, instance_id: str) -> tuple[str, str]:
        view = self.show(instance_id)
        return view.status, view.operating_status

    def last_operation(self, instance_id: str) -> Operation:
        with self.database.session() as session:
            mine = select(Operation).where(Operation.subject_id == instance_id)
            found = session.scalars(
                mine.order_by(Operation.created_at.desc(), Operation.id).limit(1)
            )
            return found.one()

    def busy_with(self, instance_id: str) -> Operation | None:
        with self.database.session() as session:
            return active_of(session, instance_id)

    def used(self) -> dict[str, int]:
        """Quota in use, without what is zero."""
        with self.database.session() as session:
            return {u.resource: u.in_use for u in session.scalars(select(QuotaUsage)) if u.in_use}
