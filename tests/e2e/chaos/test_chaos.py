"""Six runner processes under random SIGKILL: all ends, nothing twice, nothing orphaned."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.support.metadata import Server
from tests.support.recipes import WORKFLOWS
from tests.support.things import Things, repeated_effects
from trove.db import Database, DatabaseClock
from trove.engine import (
    ACTIVE,
    Claim,
    ClaimRequest,
    Mode,
    Operation,
    State,
    cancel,
    start,
    supersede,
)
from trove.engine.claims import ClaimedResource
from trove.errors import Conflict
from trove.testing.world import Metadata

PROCESSES = 6
OPERATIONS = 200
SHARING = 20
"""Operations with several claims, and as many with one shared claim."""
KILLS = 60
"""After so many the processes are left alone, to show that what is left ends."""
DEADLINE = 900.0
"""Seconds for all of it, to end a hang: on a busy machine a start of a process takes seconds."""
ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.chaos, pytest.mark.engine, pytest.mark.timeout(1000)]


@dataclass
class Runners:
    """Processes that are killed and started again."""

    url: str
    directory: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: int = 0

    def start(self) -> None:
        self.processes = [self._one() for _ in range(PROCESSES)]

    def kill_one(self) -> None:
        n = random.randrange(PROCESSES)
        self._end(self.processes[n])
        self.processes[n] = self._one()
        self.kills += 1

    def stop(self) -> None:
        for process in self.processes:
            self._end(process)

    def _one(self) -> subprocess.Popen[bytes]:
        skew = str(random.uniform(-7200, 7200))
        dying_with_us = ["setpriv", "--pdeathsig", "KILL"]
        command = [*dying_with_us, sys.executable, "-m", "tests.support.chaos_runner"]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, self.url, str(self.directory / "things"), skew],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONWARNINGS": "default"},
            )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def running(url: str, directory: Path) -> Iterator[Runners]:
    runners = Runners(url, directory)
    try:
        runners.start()
        yield runners
    finally:
        runners.stop()


def begin_all(database: Database) -> None:
    """Things, things that must turn back, fleets of three, and pairs that share resources."""
    with database.begin() as session:
        for n in range(SHARING):
            claims = [ClaimRequest(f"shared-{n % 3}", Mode.SHARED), ClaimRequest(f"own-{n}")]
            start(session, WORKFLOWS["pair.connect"], str(uuid.uuid4()), claims=claims)
            start(session, WORKFLOWS["thing.inspect"], f"shared-{n % 3}")
        for n in range(OPERATIONS):
            recipe = WORKFLOWS["fleet.create" if n % 10 == 0 else "thing.create"]
            args = {"doomed": "announce"} if n % 5 == 1 else {}
            start(session, recipe, str(uuid.uuid4()), args=args)


def interfere(database: Database) -> None:
    """Cancel one operation and delete the subject of another, in whatever state they are."""
    try:
        with database.begin() as session:
            chosen = _some_active(session)
            if chosen:
                cancel(session, chosen, WORKFLOWS[chosen.workflow])
    except (Conflict, DBAPIError):
        pass  # it ended meanwhile, or the database chose this transaction in a deadlock
    try:
        with database.begin() as session:
            chosen = _some_active(session)
            if chosen:
                kind = chosen.workflow.partition(".")[0]
                supersede(session, chosen.id)
                start(session, WORKFLOWS[f"{kind}.delete"], chosen.subject_id)
    except DBAPIError:
        pass


def _some_active(session: Session) -> Operation | None:
    going = select(Operation).where(
        Operation.state.in_(ACTIVE),
        Operation.parent_id.is_(None),
        Operation.workflow.in_(["thing.create", "fleet.create", "pair.connect"]),
    )
    return session.scalars(going.order_by(func.random() if _pg(session) else func.rand())).first()


def _pg(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def going_on(database: Database) -> int:
    with database.begin() as session:
        count = select(func.count()).where(
            Operation.state.in_(ACTIVE), Operation.workflow != "round"
        )
        return int(session.scalars(count).one())


def run_to_the_end(database: Database, runners: Runners) -> float:
    """Kill and interfere until all has ended; the seconds that it took."""
    began = time.monotonic()
    while going_on(database):
        spent = time.monotonic() - began
        assert spent < DEADLINE, f"{going_on(database)} operations did not end"
        time.sleep(random.uniform(0.2, 0.5))
        if runners.kills < KILLS:
            runners.kill_one()
            interfere(database)
    return time.monotonic() - began


def expected_of(operations: list[Operation]) -> list[str]:
    """What must be there: what succeeded and was not deleted, and nothing else."""
    newest = {operation.subject_id: operation for operation in operations}
    created = [
        operation
        for operation in newest.values()
        if operation.state == State.SUCCEEDED
        and operation.workflow.endswith((".create", ".connect"))
    ]
    # A fleet may succeed just before it is deleted.
    kept = {operation.id for operation in created}
    gone = {o.id for o in operations if o.workflow == "fleet.create"} - kept
    parts = [o for o in created if o.parent_id is None or o.parent_id not in gone]
    kinds = {
        "thing.create": ("server", "volume"),
        "fleet.create": ("volume",),
        "pair.connect": ("volume",),
    }
    return sorted(f"{kind}/{o.subject_id}" for o in parts for kind in kinds[o.workflow])


def check(world: Things, database: Database) -> Counter[tuple[str, str]]:
    with database.begin() as session:
        assert repeated_effects(session) == []
        operations = list(session.scalars(select(Operation).order_by(Operation.created_at)))
    assert world.inventory.collisions() == []
    assert world.inventory.everything() == expected_of(operations)
    with database.begin() as session:
        held = select(Claim.operation_id).where(Claim.released.is_(False))
        holding = set(session.scalars(held))
        kept = session.scalars(select(ClaimedResource).where(ClaimedResource.shared != 0)).all()
    assert holding <= {o.id for o in operations if o.workflow == "round"}
    assert kept == []
    doomed = [o for o in operations if o.args.get("doomed")]
    assert State.SUCCEEDED not in {State(o.state) for o in doomed}
    return Counter((o.workflow, o.state) for o in operations)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_runners_under_random_kills(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server: Server = request.getfixturevalue(engine)
    url = server.new_database()
    database = Database(url)
    database.create_all()
    world = Things(Metadata(database, DatabaseClock()), tmp_path / "things", WORKFLOWS)
    begin_all(database)
    with running(url, tmp_path) as runners:
        spent = run_to_the_end(database, runners)
    ends = check(world, database)
    database.dispose()
    assert runners.kills >= PROCESSES
    with capsys.disabled():
        print(f"\n{engine}: {runners.kills} kills in {spent:.0f} s: {dict(sorted(ends.items()))}")
