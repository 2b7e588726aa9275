"""The settings that instances have, against the engines' own: the same loads, in turns.

All else is the same on both sides: buffers, connections, the file system, one processor. The bar
says that no load may lose by more than what measurements scatter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from benchmarks.disk import fresh_disk
from benchmarks.engines import Load, compared, inserts, queries, running, selects, tpcb, updates
from benchmarks.table import Result, show

ROUNDS = int(os.environ.get("TROVE_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("TROVE_BENCH_SECONDS", "5"))
BAR = 0.95
OWN: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "random_page_cost": "4",
        "effective_io_concurrency": "1",
        "jit": "on",
        "log_min_duration_statement": "-1",
    },
    "mariadb": {
        "innodb_io_capacity": "200",
        "innodb_flush_neighbors": "1",
        "slow_query_log": "OFF",
        "long_query_time": "10",
    },
}
"""As the engines have them."""
# Ten thousand rows by their key, which lie anywhere: right for SSDs, the whole table for disks.
BY_KEY = """
SELECT sum(abalance) FROM generate_series(1, 10000) AS n JOIN pgbench_accounts ON aid = n * 199;
"""
# Few rows, which the planner takes for millions, so that compiling the query seems worth it.
FEW = """
SELECT sum(bbalance + length(x) * 2 + length(y) % 3) FILTER (WHERE x <> y), max(x), min(y)
  FROM pgbench_branches, regexp_split_to_table('a,b', ',') x, regexp_split_to_table('c,d', ',') y;
"""
SHAPE = {"scale": 20, "clients": 4, "seconds": SECONDS}


def main() -> int:
    loads: Sequence[Load] = (
        tpcb(**SHAPE),
        selects(**SHAPE),
        queries("10,000 rows by key", BY_KEY, **SHAPE),
        queries("few rows, taken for many", FEW, **SHAPE),
        inserts(4, 1000 * SECONDS),
        updates(4, 1000 * SECONDS),
    )
    return show([_compare(load) for load in loads])


def _compare(load: Load) -> Result:
    with (
        fresh_disk() as disk,
        running(load.manager, disk, OWN[load.manager]) as before,
        running(load.manager, disk, {}) as after,
    ):
        return compared(
            load,
            after.socket,
            before.socket,
            against="its own settings",
            bar=BAR,
            rounds=ROUNDS,
        )


if __name__ == "__main__":
    sys.exit(main())
