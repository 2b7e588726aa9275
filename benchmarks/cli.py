"""How long `trove list` takes, from the shell and back; Python itself and the older client too."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.standalone import private_standalone
from benchmarks.table import Result, show

BAR = 0.4
"""Seconds of wall time."""
RUNS, SLOW_RUNS = 20, 5


def main() -> int:
    with private_standalone() as service:
        environ = _environment(service.state.parent)
        python = median_of([sys.executable, "-c", "pass"], environ, RUNS)
        ours = [str(Path(sys.executable).with_name("trove")), "list"]
        first = seconds_of(ours, environ)
        listing = median_of(ours, environ, RUNS)
        older = _older_client()
        theirs = median_of(older, environ, SLOW_RUNS) if older else None
    print(f"first `trove list`, which signs in: {first:.3f} s")
    print(f"python3 -c pass: {python:.3f} s; trove list is {listing / python:.1f} x of it")
    if theirs is None:
        print("openstack database instance list: not measured (`make clients` installs it)")
    else:
        print(f"openstack database instance list: {theirs:.3f} s;", end=" ")
        print(f"trove list is {listing / theirs:.2f} x of it")
    return show([Result("trove list", f"{listing:.3f} s", "the bar", listing, BAR, unit="s")])


def seconds_of(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Of one run that works; raises CalledProcessError."""
    begun = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def median_of(command: Sequence[str], environ: Mapping[str, str], runs: int) -> float:
    return statistics.median(seconds_of(command, environ) for _ in range(runs))


def _older_client() -> list[str]:
    """`openstack database instance list`, if it is installed."""
    clients = Path(os.environ.get("TROVE_OSC_VENV") or ".venv-clients")
    program = clients / "bin" / "openstack"
    found = str(program) if program.exists() else shutil.which("openstack")
    return [found, "database", "instance", "list"] if found else []


def _environment(base: Path) -> dict[str, str]:
    """Our client finds the service by itself; the older one is given cloud and file."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(base),
        "XDG_CONFIG_HOME": str(base / "config"),
        "XDG_CACHE_HOME": str(base / "cache"),
        "OS_CLIENT_CONFIG_FILE": str(base / "config" / "trove" / "clouds.yaml"),
        "OS_CLOUD": "trove",
    }


if __name__ == "__main__":
    sys.exit(main())
