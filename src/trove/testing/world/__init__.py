"""The world of a test, in levels, each built on the one below; a test names the one it needs.

1. `Metadata`: a metadata database and a clock.
2. `Operations`: recipes, their runners, and points at which a runner dies.
3. `Cloud`: an installation, the product's recipes, the fake provider, agents that answer.
4. `World`, in `api.py`: all of them, and the API in the same process.
"""

from trove.testing.world.cloud import MARIADB, POSTGRESQL, Cloud, Version
from trove.testing.world.metadata import Metadata, fresh_database, metadata_in
from trove.testing.world.operations import (
    LEASE,
    Crash,
    Interference,
    Operations,
    act_at,
    crash_at,
)

__all__ = [
    "LEASE",
    "MARIADB",
    "POSTGRESQL",
    "Cloud",
    "Crash",
    "Interference",
    "Metadata",
    "Operations",
    "Version",
    "act_at",
    "crash_at",
    "fresh_database",
    "metadata_in",
]
