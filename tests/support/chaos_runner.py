"""One runner process of the chaos run: slow steps, a wrong clock, servers that come up.

`python -m tests.support.chaos_runner URL DIRECTORY SKEW`, until it is killed. SKEW are the seconds
by which this process's clock is wrong.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

import trove.db
from tests.support.recipes import WORKFLOWS
from tests.support.things import Context, Things
from trove.db import Database, DatabaseClock
from trove.engine import Pool, Runner, ensure_periodic
from trove.errors import Failed
from trove.testing.world import Metadata

# As in the service. A busy machine stops a process for seconds, and what it does not renew is
# taken rightly.
LEASE = timedelta(seconds=20)
LONGEST_STEP = 0.02


class ChaosContext(Context):
    """Steps are slow, fail now and then, and some always do."""

    def point(self, name: str) -> None:
        time.sleep(random.random() * LONGEST_STEP)
        if self.operation.args.get("doomed") == name:
            raise Failed(f"{name} is doomed")
        if random.random() < 0.01:
            raise OSError(f"{name} had bad luck")


def skew_the_clock(seconds: float) -> None:
    """Nothing may depend on what this process takes for the time."""

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            now = datetime.now(tz) + timedelta(seconds=seconds)
            return cls.fromtimestamp(now.timestamp(), tz)

    trove.db.datetime = Skewed  # type: ignore[attr-defined]
    honest = time.time
    time.time = lambda: honest() + seconds


def main(url: str, directory: str, skew: str) -> None:
    skew_the_clock(float(skew))
    database = Database(url, pool_size=6)
    world = Things(Metadata(database, DatabaseClock()), Path(directory), WORKFLOWS)
    world.inventory.point = lambda name: time.sleep(random.random() * LONGEST_STEP)
    runner = Runner(
        database,
        WORKFLOWS,
        lambda session, operation: ChaosContext(session, operation, world),
        lease=LEASE,
    )
    ensure_periodic(database, WORKFLOWS["round"])
    pool = Pool(runner, threads=2)
    pool.start()
    while True:
        try:
            world.bring_up()
        except SQLAlchemyError as error:
            print(f"bring_up: {error}", file=sys.stderr)
        threading.Event().wait(0.3)


if __name__ == "__main__":
    main(*sys.argv[1:4])
