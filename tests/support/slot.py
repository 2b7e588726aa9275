"""What a test process has on this machine for itself: addresses, ports and user ids.

Law: every test process, of any run and any checkout, has a slot of its own; whatever tests bind or
run as follows from the slot.
"""

from __future__ import annotations

import errno
import itertools
import socket
from functools import cache

SLOTS = range(1, 251)
FIRST_UID = 1_000_000
UIDS = 1_000
"""User ids of one slot."""
FIRST_PORT = 20_000
PORTS = 48
"""Ports of one slot; all are below those that the kernel gives away."""
POOLS = range(80, 96)
"""Second bytes of address pools."""
_pools = itertools.count()
_ports = itertools.count()
_uids = itertools.count()


@cache
def slot() -> int:
    """The number of this process, which is free again when the process ends."""
    # An abstract socket leaves no file, is seen by every account, and goes with the process.
    for number in SLOTS:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
            try:
                holder.bind(f"\0trove-tests-{number}")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                holder.detach()
                return number
    raise RuntimeError("too many test processes on this machine")


def address(second: int, last: int = 1) -> str:
    """A loopback address of this process alone."""
    return f"127.{second}.{slot()}.{last}"


def free_port(host: str) -> int:
    """A port that is free now, on an address of this process."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def next_port() -> int:
    """A free port of this process alone on 127.0.0.1."""
    first = FIRST_PORT + PORTS * slot()
    for _ in range(PORTS):
        port = first + next(_ports) % PORTS
        if _is_free(port):
            return port
    raise RuntimeError(f"ports {first} to {first + PORTS - 1} are in use")


def next_pool() -> str:
    """A pool of 254 addresses."""
    return f"127.{POOLS[next(_pools) % len(POOLS)]}.{slot()}.0/24"


def next_first_uid(count: int = 50) -> int:
    """The first of so many user ids that no other test process takes."""
    return FIRST_UID + UIDS * slot() + next(_uids) * count % UIDS


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
