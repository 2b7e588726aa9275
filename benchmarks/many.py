"""Fifty instances at once, against fifty bare engines that a plain loop starts side by side.

As root the bare engines have a fresh file system, as the instances do: see `disk.py`.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from benchmarks.bare import postgresql
from benchmarks.disk import fresh_disk
from benchmarks.standalone import Standalone, await_that, private_standalone
from benchmarks.table import Result, show

COUNT = int(os.environ.get("TROVE_BENCH_COUNT", "50"))
BAR = 1.5
LOOK_EVERY = 0.1
"""Seconds; to look more often would take time from what is measured."""


def main() -> int:
    bare = _bare()
    with private_standalone() as service:
        ours = _ordered(service)
        _remove_all(service)
    return show(
        [
            Result(
                f"{COUNT} instances at once, all ACTIVE",
                f"{ours:.1f} s",
                f"bare engines {bare:.1f} s",
                ours / bare,
                BAR,
            )
        ]
    )


def _bare() -> float:
    """Seconds until the last of them has answered; each runs until all have."""
    engine, together = postgresql(), Barrier(COUNT, timeout=600)
    with fresh_disk() as disk, ThreadPoolExecutor(COUNT) as threads:
        begun = time.monotonic()
        return max(threads.map(lambda _: engine.run_from(begun, together.wait, disk), range(COUNT)))


def _ordered(service: Standalone) -> float:
    """Seconds until the last instance is ACTIVE. Raises WentWrong when one is not."""
    begun = time.monotonic()
    with ThreadPoolExecutor(COUNT) as threads:
        names = [f"many-{number}" for number in range(COUNT)]
        instances = list(threads.map(lambda name: service.create(name, "postgresql"), names))
    for instance in instances:
        service.await_active(instance, LOOK_EVERY)
    return time.monotonic() - begun


def _remove_all(service: Standalone) -> None:
    for instance in service.session.pages("/instances", "instances", limit=20):
        service.session.send("DELETE", f"/instances/{instance['id']}")
    await_that(lambda: not service.session.get("/instances")["instances"], every=0.5)


if __name__ == "__main__":
    sys.exit(main())
