"""Runs every benchmark, or those that are named, each in a process of its own.

Each is a module with a `main()` that prints its table (`benchmarks/table.py`) and returns how many
bars it missed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

FRAME = {"__init__", "__main__", "table", "standalone", "bare", "disk", "engines"}
LIMIT = 1800
"""Seconds for one benchmark."""


def main() -> int:
    here = Path(__file__).parent
    packages = {p.parent.name for p in here.glob("*/__main__.py")}
    known = sorted(packages | {p.stem for p in here.glob("*.py")} - FRAME)
    wanted = sys.argv[1:] or known
    if unknown := set(wanted) - set(known):
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    return sum(_run(name) for name in wanted)


def _run(name: str) -> bool:
    """Whether the benchmark failed, or missed a bar."""
    print(f"\n== {name}", flush=True)
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False, timeout=LIMIT)
    print(f"   ({time.monotonic() - begun:.0f} s)", flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
