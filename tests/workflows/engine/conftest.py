"""Worlds in which recipes run to their end, one after the other on one metadata database."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.recipes import WORKFLOWS
from tests.support.things import Things
from trove.db import Database
from trove.testing.world import Metadata


@pytest.fixture
def new_world(database: Database, tmp_path: Path) -> Callable[..., Things]:
    """On each of the three databases."""
    return _maker(database, tmp_path)


@pytest.fixture
def quick_world(sqlite_database: Database, tmp_path: Path) -> Callable[..., Things]:
    """For long recipes, which the chaos run brings to the other databases."""
    return _maker(sqlite_database, tmp_path)


def _maker(database: Database, tmp_path: Path) -> Callable[..., Things]:
    serial = itertools.count()

    def make(**fields: Any) -> Things:
        metadata = Metadata(database)
        return Things(metadata, tmp_path / f"things{next(serial)}", WORKFLOWS, **fields)

    return make
