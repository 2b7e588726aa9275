"""How much memory the service takes that runs nothing, and each agent beside its engine."""

from __future__ import annotations

import sys

from benchmarks.standalone import await_that, private_standalone, resident
from benchmarks.table import Result, show

SERVICE_BAR, AGENT_BAR = 150, 50
"""MiB of resident memory."""


def main() -> int:
    with private_standalone() as service:
        idle = service.memory()
        instance = service.create("memory", "postgresql")
        service.await_active(instance)
        await_that(lambda: bool(service.agents()))
        agent = max(resident(process) for process in service.agents())
        service.delete(instance)
    return show(
        [
            Result(
                "standalone with no instance", f"{idle:.0f} MiB", "-", idle, SERVICE_BAR, unit="MiB"
            ),
            Result("an agent", f"{agent:.0f} MiB", "-", agent, AGENT_BAR, unit="MiB"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
