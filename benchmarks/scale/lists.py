"""A page of a list: beside few rows of the same project, and beside many."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from benchmarks.scale.fill import CALLER, databases, installation_on
from benchmarks.table import Result, show
from tests.support.filled import add_events, add_instances, add_operations
from trove.db import Database, utcnow
from trove.services import events, instances, operations
from trove.services.events import EventFilter
from trove.services.installation import Installation
from trove.services.operations import OperationFilter

NAMES = ("sqlite", "postgresql", "mariadb")
FEW, MANY, HISTORY = 100, 100_000, 1_000_000
PAGE = 20
CALLS = 20
WARM_UP = 6
"""Calls before the first that counts: PostgreSQL plans the first few each by itself."""
BAR = 1.5


@dataclass(frozen=True)
class Side:
    """One filled database, with the ids of rows in the middle of its tables."""

    installation: Installation
    instance: str
    operation: str
    event: str

    def instances(self, **wanted: Any) -> object:
        return instances.list_page(self.installation, CALLER, limit=PAGE, **wanted)

    def operations(self, marker: str | None = None, **wanted: str) -> object:
        chosen = OperationFilter(**wanted)
        return operations.list_page(self.installation, CALLER, chosen, limit=PAGE, marker=marker)

    def events(self, marker: str | None = None, **wanted: Any) -> object:
        return self.found(EventFilter(**wanted), marker)

    def found(self, wanted: EventFilter, marker: str | None = None) -> object:
        return events.list_page(self.installation, CALLER, wanted, limit=PAGE, marker=marker)


READS: dict[str, Callable[[Side], object]] = {
    "page of instances": Side.instances,
    "instances after a marker": lambda side: side.instances(marker=side.instance),
    "instances: name, none has it": lambda side: side.instances(name="none"),
    "one instance": lambda side: instances.show(side.installation, CALLER, side.instance),
    "page of operations": Side.operations,
    "operations after a marker": lambda side: side.operations(side.operation),
    "operations: state failed, none is": lambda side: side.operations(state="failed"),
    "operations: active, none is": lambda side: side.operations(state="active"),
    "operations: workflow, none has it": lambda side: side.operations(workflow="none"),
    "operations: of an instance": lambda side: side.operations(subject_id=side.instance),
    "page of events": Side.events,
    "events after a marker": lambda side: side.events(side.event),
    "events: kind, all have it": lambda side: side.events(kind="instance"),
    "events: kind, none has it": lambda side: side.events(kind="user"),
    "events: of an instance": lambda side: side.events(subject_id=side.instance),
    "events: operation without any": lambda side: side.events(operation_id="none"),
    "events: since a time after all": lambda side: side.found(
        EventFilter(since=utcnow() + timedelta(hours=1))
    ),
}


def main() -> int:
    return show(list(rows(*sys.argv[1:])))


def rows(*names: str) -> Iterator[Result]:
    """For each of these metadata databases, or for all three."""
    for name in names or NAMES:
        with databases(name, 2) as (few, many):
            small, large = filled(few, FEW, FEW), filled(many, MANY, HISTORY)
            for what, read in READS.items():
                yield _row(f"{what}, {name}", read, small, large)


def filled(database: Database, instances: int, history: int) -> Side:
    """So many instances, and operations and events of them."""
    add_instances(database, instances)
    add_operations(database, history)
    add_events(database, history)
    with database.engine.connect() as connection:
        middle = [
            str(connection.execute(text(f"{chosen} LIMIT 1 OFFSET {count // 2}")).scalar_one())
            for chosen, count in (
                ("SELECT id FROM instances ORDER BY created_at", instances),
                ("SELECT id FROM operations ORDER BY created_at", history),
                ("SELECT id FROM events ORDER BY id", history),
            )
        ]
    return Side(installation_on(database), *middle)


def _row(what: str, read: Callable[[Side], object], small: Side, large: Side) -> Result:
    """The best of each, in turns: whatever else the machine does can only add to it."""
    took: dict[int, list[float]] = {0: [], 1: []}
    for number in range(WARM_UP + CALLS):
        for at, side in enumerate((small, large)):
            began = time.perf_counter()
            read(side)
            if number >= WARM_UP:
                took[at].append(time.perf_counter() - began)
    few, many = (min(each) * 1000 for each in took.values())
    return Result(what, f"{many:.2f} ms at many", f"{few:.2f} ms at few", many / few, BAR)


if __name__ == "__main__":
    sys.exit(main())
