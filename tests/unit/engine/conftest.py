"""One world with a clock that stands still, and the parts to build others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recipes import WORKFLOWS
from tests.support.world import World
from trove.db import Database


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """On each of the three databases."""
    return World(database, tmp_path / "cloud", WORKFLOWS)


@pytest.fixture
def small_world(sqlite_database: Database, tmp_path: Path) -> World:
    """Where the database makes no difference."""
    return World(sqlite_database, tmp_path / "cloud", WORKFLOWS)
