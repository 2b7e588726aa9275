"""Every version of every engine that this machine has: one that runs, and one that does not.

Both are installed once and shared by all tests, each of which uses names of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.authority import Authority
from tests.support.engines import (
    CONNECT,
    Engine,
    engines_here,
    prepared_engine,
    running_engine,
    unprivileged,
)
from trove.datastores.base import Installation

INSTALLATIONS = [i for i in engines_here() if i.manager in CONNECT]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(
    scope="session", params=INSTALLATIONS, ids=[f"{i.manager}-{i.version}" for i in INSTALLATIONS]
)
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.param
    return found


@pytest.fixture(scope="session")
def shared(installation: Installation, authority: Authority) -> Iterator[Engine]:
    """An engine that runs and keeps running."""
    stack = ExitStack()
    with unprivileged():
        engine = stack.enter_context(running_engine(installation, authority))
    yield engine
    with unprivileged():
        stack.close()


@pytest.fixture(scope="session")
def prepared(installation: Installation, authority: Authority) -> Iterator[Engine]:
    stack = ExitStack()
    with unprivileged():
        engine = stack.enter_context(prepared_engine(installation, authority))
    yield engine
    with unprivileged():
        stack.close()


@pytest.fixture(autouse=True)
def as_nobody() -> Iterator[None]:
    with unprivileged():
        yield


@pytest.fixture
def idle(prepared: Engine, authority: Authority, as_nobody: None) -> Iterator[Engine]:
    """An engine that is installed and does not run: a test may start and break it."""
    yield prepared
    prepared.driver.stop()
    authority.equip(prepared.spec)
    prepared.driver.configure()
