"""Managed instances against bare engines with the same settings and flavor, on the machine's disk.

Both are used by TLS, in turns; what remains is the volume and the sandbox. What TLS itself costs is
measured on the bare engine, against its socket.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from benchmarks.disk import PLACE
from benchmarks.engines import (
    Endpoint,
    Load,
    Running,
    compared,
    inserts,
    logins,
    running,
    selects,
    tpcb,
    updates,
)
from benchmarks.standalone import Standalone, private_standalone
from benchmarks.table import Result, show
from trove.datastores import datastore_of
from trove.datastores.configuration import usable_memory

ROUNDS = int(os.environ.get("TROVE_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("TROVE_BENCH_SECONDS", "5"))
FLAVOR, MEMORY, VCPUS = "4", 2048, 2
VOLUME = 2
"""GiB."""
SHAPE = {"scale": 10, "clients": 4, "seconds": SECONDS}
BAR, BAR_TLS = 0.95, 0.8
"""Of an instance; of TLS, to which a login costs much more than to a socket."""
BAR_LOGIN = 0.1
LOADS: Mapping[str, tuple[Load, ...]] = {
    "postgresql": (tpcb(**SHAPE), selects(**SHAPE)),
    "mariadb": (inserts(4, 1000 * SECONDS), updates(4, 1000 * SECONDS)),
}
TLS: Mapping[str, tuple[tuple[Load, float], ...]] = {
    "postgresql": ((selects(**SHAPE), BAR_TLS), (logins(SECONDS), BAR_LOGIN)),
}


def main() -> int:
    with private_standalone() as service:
        return show([row for manager in LOADS for row in _rows(service, manager)])


def _rows(service: Standalone, manager: str) -> list[Result]:
    sizes = datastore_of(manager).sizes
    assert sizes is not None
    same = sizes(usable_memory(MEMORY), VCPUS, VOLUME * 1024)
    with running(manager, PLACE, same, MEMORY, VCPUS) as bare:
        ours = _managed(service, manager, bare)
        rows = [
            compared(load, ours, bare.network, against="bare engine", bar=BAR, rounds=ROUNDS)
            for load in LOADS[manager]
        ]
        for load, bar in TLS.get(manager, ()):
            by_tls = replace(load, title=f"{load.title} by TLS")
            sides = (bare.network, bare.socket)
            rows.append(compared(by_tls, *sides, against="by its socket", bar=bar, rounds=ROUNDS))
    return rows


def _managed(service: Standalone, manager: str, bare: Running) -> Endpoint:
    """A new instance, as its superuser."""
    instance = service.create(f"volumes-{manager}", manager, FLAVOR, VOLUME)
    service.await_active(instance)
    root = service.session.post(f"/instances/{instance}/root", {})["user"]
    address = service.show(instance)["addresses"][0]["address"]
    return replace(bare.network, host=address, user=root["name"], password=root["password"])


if __name__ == "__main__":
    sys.exit(main())
