"""Level one: a metadata database with every table, and the clock that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event, update

from trove.db import Clock, Database
from trove.engine import ACTIVE, Operation
from trove.testing.clock import ManualClock


@dataclass
class Metadata:
    """What every level above has its rows and its time from."""

    database: Database
    clock: Clock = field(default_factory=ManualClock)

    def pass_time(self, seconds: float) -> None:
        """By moving the clock or, if it is a real one, by making due at once what waits."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(seconds)
            return
        with self.database.begin() as session:
            now = self.clock.now(session)
            waiting = update(Operation).where(Operation.state.in_(ACTIVE))
            session.execute(waiting.values(due_at=now))

    def close(self) -> None:
        self.database.dispose()


def metadata_in(directory: Path, url: str | None = None, clock: Clock | None = None) -> Metadata:
    """A new SQLite file in a directory, or an empty database elsewhere.

    The clock that tests move is the default; what is written in turn has times in this order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "trove.sqlite"
    database = Database(url or f"sqlite:///{path}")
    if database.is_embedded:
        event.listen(database.engine, "connect", _do_not_sync)
    if url is None and not path.exists():
        path.write_bytes(_empty_file())
    else:
        database.create_all()
    return Metadata(database, clock or ManualClock(tick=timedelta(microseconds=1)))


@contextmanager
def fresh_database() -> Iterator[Database]:
    """An empty SQLite database for one example of a property, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        metadata = metadata_in(Path(directory))
        yield metadata.database
        metadata.close()


@cache
def _empty_file() -> bytes:
    """A SQLite file with every table, made once in a process."""
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
