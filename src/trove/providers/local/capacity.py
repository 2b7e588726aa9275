"""How much of this machine all of its servers may have together: memory, and processes.

Law: what one server is given leaves enough for the machine itself, whatever the others do.
"""

from __future__ import annotations

from pathlib import Path

from trove.errors import Failed
from trove.processes import PROC
from trove.providers.base import Flavor
from trove.providers.local.cgroups import MIB, ControlGroups, Limits

KERNEL_LIMITS = ("sys/kernel/pid_max", "sys/kernel/threads-max")
FOR_SERVERS = 0.75
"""Of the processes that the machine may have; the rest is the control plane's and the system's."""
SHARES = 64
"""One server gets this part of the processes that no other one has been given."""


def memory_of(groups: ControlGroups, proc: Path = PROC) -> int:
    """MiB that this machine, or the container that it is, has."""
    fields = dict(line.split(":") for line in (proc / "meminfo").read_text().splitlines())
    total = int(fields["MemTotal"].split()[0]) << 10
    return min(total, groups.ceiling("memory") or total) // MIB


def processes_of(groups: ControlGroups, proc: Path = PROC) -> int:
    """How many processes and threads all servers may have together."""
    limits = [int((proc / name).read_text()) for name in KERNEL_LIMITS]
    return int(min(*limits, groups.ceiling("pids") or limits[0]) * FOR_SERVERS)


def limits_of(flavor: Flavor, left: int, *, refuse: bool) -> Limits:
    """For a server of this size, when `left` processes may be given to it.

    Engines have one for each connection. With `refuse`, raises Failed where too few are left.
    """
    least, most = 128 + min(1000, flavor.memory // 8), 512 + flavor.memory
    if refuse and left < least:
        raise Failed(
            f"The machine has not enough processes for another server: {least} needed,"
            f" {max(0, left)} left. Choose a smaller flavor, delete an instance that is not needed,"
            " or repeat the request when its operator has raised kernel.pid_max."
        )
    processes = max(least, min(most, left // SHARES))
    return Limits(flavor.memory, flavor.vcpus, processes)
