"""A provider on this machine, and a look afterwards at what it has left behind."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import (
    IS_ROOT,
    Traces,
    local_provider,
    open_to_others,
    remove,
)
from tests.support.stack import ENGINES, Stack, stack_in
from tests.support.waiting import until
from trove.datastores.discovery import installed_engines
from trove.providers.base import Provider

MODES: tuple[dict[str, str], ...] = ({}, {"isolation": "none"})


@pytest.fixture
def name() -> str:
    return f"trove-{uuid.uuid4()}"


@pytest.fixture(params=MODES, ids=["sandbox", "plain"])
def mode(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings of the provider for one kind of isolation."""
    if IS_ROOT and request.param:
        blocked = [p for p in Path(sys.executable).resolve().parents if not p.stat().st_mode & 1]
        if blocked:
            pytest.skip(f"other users cannot enter {blocked[0]}")
        open_to_others(tmp_path)
    found: dict[str, str] = request.param
    return found


@pytest.fixture
def make(tmp_path: Path, name: str) -> Iterator[Callable[..., Provider]]:
    """Providers over one directory; at the end everything of the name must be gone."""

    def made(script: str = "exec sleep 1000", **changes: Any) -> Provider:
        return local_provider(tmp_path, script, **changes)

    yield made
    for known in {name, *(p.name for p in tmp_path.glob("local/servers/*"))}:
        remove(made(), known)
    # A sandbox that another test starts at this moment holds on to our mounts until it has left
    # the machine's own file systems; a loop device goes with its last mount.
    until(lambda: not Traces.of(name, tmp_path))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole installation in this process."""
    with stack_in(tmp_path_factory.mktemp("stack")) as made:
        yield made


@pytest.fixture(params=ENGINES)
def instance_id(request: pytest.FixtureRequest, stack: Stack) -> Iterator[str]:
    """A local instance of each engine, which is deleted afterwards."""
    if request.param not in {engine.manager for engine in installed_engines()}:
        pytest.skip(f"{request.param} is not installed")
    made = stack.create(request.param)
    yield made
    stack.delete(made)
