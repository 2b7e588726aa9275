"""`records.prune`: what it takes to remove a thousand records, among few and among many."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from benchmarks.scale.fill import databases, installation_on
from benchmarks.table import Result, show
from tests.support.filled import add_claims, add_events, add_instances, add_operations
from trove.db import Database
from trove.engine import Runner, ensure_periodic
from trove.providers.fake import FakeWorld, provider_of
from trove.taskmanager.service import environment_of
from trove.workflows import WORKFLOWS
from trove.workflows.context import Context

NAMES = ("sqlite", "postgresql", "mariadb")
INSTANCES = 10_000
FEW, MANY = 10_000, 100_000
"""Operations, and as many events."""
AGE = 120
"""Days since the newest of them."""
DELETED = 5000
"""Instances that were deleted so long ago."""
BAR, SECONDS_BAR, LONGEST_BAR = 1.5, 60.0, 5.0


@dataclass(frozen=True)
class Round:
    """One whole round."""

    removed: int
    seconds: float
    longest: float
    """Seconds of the longest transaction."""

    @property
    def each(self) -> float:
        """Milliseconds for a thousand records."""
        return 1e6 * self.seconds / self.removed


def main() -> int:
    return show(list(rows(*sys.argv[1:])))


def rows(*names: str) -> Iterator[Result]:
    """For each of these metadata databases, or for all three."""
    for name in names or NAMES:
        with databases(name, 2) as (small, large):
            few, many = _measured(small, FEW), _measured(large, MANY)
        what = f"prune {many.removed:,} records, {name}"
        yield Result(
            f"{what}: a thousand of them",
            f"{many.each:.0f} ms",
            f"{few.each:.0f} ms of {few.removed:,}",
            many.each / few.each,
            BAR,
        )
        yield Result("... all", f"{many.seconds:.1f} s", "-", many.seconds, SECONDS_BAR, unit="s")
        longest = f"{1000 * many.longest:.0f} ms"
        yield Result("... longest transaction", longest, "-", many.longest, LONGEST_BAR, unit="s")


def _measured(database: Database, history: int) -> Round:
    add_instances(database, INSTANCES, age=AGE)
    add_operations(database, history, age=AGE)
    add_claims(database)
    add_events(database, history, age=AGE)
    _delete_instances(database)
    before = _count(database)
    runner, longest = _runner(database), 0.0
    ensure_periodic(database, WORKFLOWS["records.prune"])
    began = last = time.monotonic()
    while runner.run_once():
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    seconds = time.monotonic() - began
    left = _count(database)
    # The newest operation of each instance stays; of deleted ones until the next round.
    if left != (INSTANCES - DELETED) + INSTANCES + 1:
        raise SystemExit(f"{left} records are left")
    return Round(before - left, seconds, longest)


def _delete_instances(database: Database) -> None:
    chosen = f"SELECT id FROM (SELECT id FROM instances ORDER BY id LIMIT {DELETED}) c"
    with database.engine.begin() as connection:
        connection.execute(
            text(f"UPDATE instances SET deleted_at = created_at WHERE id IN ({chosen})")  # noqa: S608
        )


def _count(database: Database) -> int:
    with database.engine.connect() as connection:
        return sum(
            int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608
            for table in ("instances", "operations", "events")
        )


def _runner(database: Database) -> Runner:
    environment = environment_of(installation_on(database), provider_of(FakeWorld()))
    return Runner(
        database, WORKFLOWS, lambda session, operation: Context(session, operation, environment)
    )


if __name__ == "__main__":
    sys.exit(main())
