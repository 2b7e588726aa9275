"""From the order to ACTIVE, against the bare engine's own init, start and first query.

Twenty of each, in turns, so that both meet the same machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from benchmarks.bare import ENGINES, BareEngine
from benchmarks.standalone import Standalone, private_standalone
from benchmarks.table import Result, show

ROUNDS = int(os.environ.get("TROVE_BENCH_ROUNDS", "20"))
BAR = 2.0


def main() -> int:
    with private_standalone() as service:
        return show([compare(service, name, make()) for name, make in ENGINES.items()])


def compare(service: Standalone, name: str, engine: BareEngine) -> Result:
    """Medians, so that one bad moment of the machine does not count."""
    bare, ours = [], []
    for number in range(ROUNDS):
        bare.append(engine.run())
        ours.append(_create(service, f"bench-{name}-{number}", name))
    base, ratio = statistics.median(bare), statistics.median(ours) / statistics.median(bare)
    return Result(
        f"create to ACTIVE, {name}, median of {ROUNDS}",
        f"{statistics.median(ours):.2f} s",
        f"bare engine {base:.2f} s",
        ratio,
        BAR,
    )


def _create(service: Standalone, name: str, datastore: str) -> float:
    begun = time.monotonic()
    instance = service.create(name, datastore)
    service.await_active(instance)
    taken = time.monotonic() - begun
    service.delete(instance)
    return taken


if __name__ == "__main__":
    sys.exit(main())
