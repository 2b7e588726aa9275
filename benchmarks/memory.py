"""How much memory the service takes that runs nothing, and each agent beside its engine."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.standalone import Standalone, await_that, private_standalone
from benchmarks.table import Result, show

SERVICE_BAR, AGENT_BAR = 150, 15
"""MiB: resident of the service, private of an agent."""
DATASTORES = ("redis", "mariadb", "postgresql")
EACH = 2
"""Instances of each: the pages of libraries that two agents share are private to neither."""


def main() -> int:
    with private_standalone() as service:
        idle = service.memory()
        rows = [_row("standalone with no instance", idle, SERVICE_BAR, "resident")]
        for datastore in DATASTORES:
            rows.append(_agent_of(service, datastore))
    return show(rows)


def _agent_of(service: Standalone, datastore: str) -> Result:
    """The larger of two agents, once they have looked at their accounts."""
    made = [service.create(f"memory-{number}", datastore) for number in range(EACH)]
    for instance in made:
        service.await_active(instance)
    await_that(lambda: len(service.agents()) == EACH)
    seen = [_memory_of(agent.pid) for agent in service.agents()]
    for instance in made:
        service.delete(instance)
    private, shared = max(seen)
    return _row(f"an agent of {datastore}", private, AGENT_BAR, f"private, {shared:.1f} in all")


def _memory_of(pid: int) -> tuple[float, float]:
    """MiB that are the process's own, and that are resident."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {
        name: int(rest.split()[0]) / 1024 for name, _, rest in (x.partition(":") for x in lines)
    }
    return sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Rss"]


def _row(what: str, measured: float, bar: float, words: str) -> Result:
    return Result(what, f"{measured:.1f} MiB {words}", "-", measured, bar, unit="MiB")


if __name__ == "__main__":
    sys.exit(main())
