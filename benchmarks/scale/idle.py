"""What a task manager and a conductor cost that have nothing to do, beside many instances."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory

from benchmarks.scale.fill import databases, installation_on
from benchmarks.table import Result, show
from tests.support.filled import add_instances
from trove.conductor.calls import AgentCalls
from trove.conductor.waiting import HeldCall, Waiting
from trove.db import Database
from trove.providers.base import Scope, ServerState, ServerView
from trove.providers.fake import FakeWorld, provider_of
from trove.providers.fake.compute import FakeCompute
from trove.services.agents import OpenTask
from trove.services.installation import Installation
from trove.taskmanager.service import TaskManager

NAMES = ("postgresql", "sqlite")
COUNTS = (0, 5000)
SECONDS = float(os.environ.get("TROVE_BENCH_IDLE_SECONDS", "30"))
SETTLE = 3.0
"""Seconds until the first rounds are over."""
BAR = 1.0
"""Percent of a core."""
UP = ServerView(ServerState.UP)


class UpCompute(FakeCompute):
    """Every server is up, at no cost: what is measured is the service's own."""

    def server_views(self, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        return dict.fromkeys(scopes, UP)


def main() -> int:
    return show(list(rows(*sys.argv[1:])))


def rows(*names: str) -> Iterator[Result]:
    """For each of these metadata databases."""
    for name in names or NAMES:
        for count in COUNTS:
            with databases(name, 1) as (database,), TemporaryDirectory() as directory:
                if count:
                    add_instances(database, count)
                inst = installation_on(database, directory)
                yield _row(f"idle task manager, {count} instances, {name}", _manager_of(inst))
                yield _row(f"idle conductor, {count} instances, {name}", _conductor_of(inst))


def _row(what: str, spent: float) -> Result:
    return Result(what, f"{spent:.2f} % of a core", "-", spent, BAR, unit="%")


def _manager_of(inst: Installation) -> float:
    with _notified(inst.database):
        provider = provider_of(FakeWorld())
        up = replace(provider, compute=UpCompute(provider.world, Scope()))
        manager = TaskManager(inst, up)
        manager.start()
        try:
            time.sleep(SETTLE)
            began = time.process_time()
            time.sleep(SECONDS)
            return (time.process_time() - began) * 100 / SECONDS
        finally:
            manager.stop()


def _conductor_of(inst: Installation) -> float:
    """It holds one call, so that it looks for tasks."""
    with _notified(inst.database):
        return asyncio.run(_hold_one(inst))


async def _hold_one(inst: Installation) -> float:
    calls = AgentCalls(inst)

    async def open_tasks() -> list[OpenTask]:
        return list(await asyncio.to_thread(calls.open_tasks))

    waiting = Waiting(open_tasks, inst.database.notifications.pause_after)
    began = time.process_time()
    assert not await waiting.until_pending("none", HeldCall(()), SECONDS)
    return (time.process_time() - began) * 100 / SECONDS


@contextmanager
def _notified(database: Database) -> Iterator[None]:
    database.notifications.start(alone=database.engine.dialect.name == "sqlite")
    try:
        yield
    finally:
        database.notifications.stop()


if __name__ == "__main__":
    sys.exit(main())
