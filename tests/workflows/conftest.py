"""A fresh control plane for each run of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Callable[[], Cloud]]:
    """Makes clouds that know nothing of each other."""
    made: list[Cloud] = []

    def make() -> Cloud:
        for cloud in made:
            cloud.database.dispose()
        made.append(Cloud(tmp_path / f"cloud-{len(made)}"))
        return made[-1]

    yield make
    for cloud in made:
        cloud.database.dispose()


@pytest.fixture
def cloud(clouds: Callable[[], Cloud]) -> Cloud:
    return clouds()
