"""Seeds: prepared data directories that new engines begin with a copy of (ADR 9).

A provider that can keep them, and a datastore whose engine can begin so, meet here and nowhere
else. The provider has the agent's program make a seed, and names it in a file for the driver.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from trove.protocol.engine_spec import EngineSpec

FILE = "seed"
"""In the engine's directory of configuration; its content is the path of the seed."""


class Seed(Protocol):
    """How one datastore makes seeds and begins with a copy of one."""

    def make(self, binaries: Path, directory: Path) -> None:
        """A data directory without any secret, by the programs that are there; raises Failed."""

    def copy(self, binaries: Path, seed: Path, directory: Path) -> None:
        """A data directory with an identity of its own; raises Failed or OSError."""


def seed_for(spec: EngineSpec) -> Path | None:
    """What the provider has prepared for this engine, which may have been removed since."""
    try:
        seed = Path((spec.config / FILE).read_text())
    except FileNotFoundError:
        return None
    return seed if seed.is_dir() else None
