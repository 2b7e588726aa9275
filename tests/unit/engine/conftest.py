"""One world with a clock that stands still, and the parts to build others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recipes import WORKFLOWS
from tests.support.things import Things
from trove.db import Database
from trove.testing.world import Metadata


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Things:
    """On each of the three databases."""
    return Things(Metadata(database), tmp_path / "cloud", WORKFLOWS)


@pytest.fixture
def small_world(sqlite_database: Database, tmp_path: Path) -> Things:
    """Where the database makes no difference."""
    return Things(Metadata(sqlite_database), tmp_path / "cloud", WORKFLOWS)
