"""One conductor on a loopback address for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import Conductor, conductor_in
from trove.protocol.engine_spec import EngineSpec


@pytest.fixture
def conductor(tmp_path: Path) -> Iterator[Conductor]:
    with conductor_in(tmp_path) as running:
        yield running


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    """Where an engine could live."""
    return EngineSpec(
        manager="postgresql",
        binaries=tmp_path,
        data=tmp_path / "data",
        run=tmp_path / "run",
        config=tmp_path / "config",
        logs=tmp_path / "logs",
        address="127.72.0.50",
        port=5432,
        memory=256,
        vcpus=1,
    )
