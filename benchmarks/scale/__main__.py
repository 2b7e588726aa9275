"""`python -m benchmarks scale [part ...]`: every row, or those of the parts that are named."""

from __future__ import annotations

import sys

from benchmarks.scale import create, idle, lists, pruning, syncs
from benchmarks.table import Result, show

PARTS = {
    "lists": lists.rows,
    "idle": idle.rows,
    "create": create.rows,
    "syncs": syncs.rows,
    "pruning": pruning.rows,
}


def main() -> int:
    wanted = sys.argv[1:] or list(PARTS)
    rows: list[Result] = [row for name in wanted for row in PARTS[name]()]
    return show(rows)


if __name__ == "__main__":
    sys.exit(main())
