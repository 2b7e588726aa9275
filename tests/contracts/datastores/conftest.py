"""Every version of every engine that this machine has: one that runs, and one that does not.

A test that needs parts of an engine, or one engine alone, says so by its marks `parts` and `only`;
one that needs SQL, by `sql`. For other engines it is not collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import SqlClient, client_of
from trove.datastores import datastore_of
from trove.datastores.base import Installation
from trove.testing.datastores import (  # noqa: F401 - fixtures
    as_another_user,
    authority,
    idle,
    prepared,
    shared,
)
from trove.testing.engines import Client, installations_of, unprivileged

CLIENTS = Path(__file__).with_name("clients")
INSTALLATIONS = installations_of(*(p.stem for p in CLIENTS.glob("[a-z]*.py")))
MARKS = {
    "parts(*parts): for engines that have these parts",
    "only(manager): for this engine",
    "sql: for engines whose client speaks SQL",
}


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not _is_for_its_engine(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_for_its_engine(item: pytest.Item) -> bool:
    values = (
        item.callspec.params
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else {}
    )
    installation = values.get("installation")
    if not isinstance(installation, Installation):
        return True
    manager = installation.manager
    parts = [part for mark in item.iter_markers("parts") for part in mark.args]
    return (
        all(map(datastore_of(manager).has, parts))
        and all(manager in mark.args for mark in item.iter_markers("only"))
        and (not item.get_closest_marker("sql") or isinstance(client_of(manager), SqlClient))
    )


@pytest.fixture(
    scope="session", params=INSTALLATIONS, ids=[f"{i.manager}-{i.version}" for i in INSTALLATIONS]
)
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.param
    return found


@pytest.fixture(scope="session")
def client(installation: Installation) -> Client:
    return client_of(installation.manager)


@pytest.fixture(autouse=True)
def always_unprivileged() -> Iterator[None]:
    with unprivileged():
        yield
