"""A page reads as much beside many others as beside few."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.scale.lists import READS, filled
from tests.support.cost import cost_of
from trove.db import Base, Database

FEW, MANY = 100, 3000
SIZES = {"postgresql": (10_000, 60_000)}
"""It rightly reads smaller tables as a whole."""
SLACK = 1.3
"""A tree of more rows may have one level more."""
CONSTANT = 10


def test_a_page_reads_as_much_beside_many_rows(database: Database) -> None:
    sizes = SIZES.get(database.engine.dialect.name, (FEW, MANY))
    few, many = (costs_among(database, size) for size in sizes)
    grown = {
        what: (cost, many[what])
        for what, cost in few.items()
        if many[what] > SLACK * cost + CONSTANT
    }
    assert grown == {}


def costs_among(database: Database, rows: int) -> Mapping[str, int]:
    """What each read costs beside so many instances, operations and events."""
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    side = filled(database, rows, rows)
    return {what: cost_of(database, partial(read, side)) for what, read in READS.items()}
