"""A pytest plugin: tests run in random order, and those that share something costly run together.

`--seed N` repeats an order, `--seed 0` keeps the order of the files.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Generator
from typing import Any

import pytest

SHARED_FOR_LONG = frozenset({"installation", "service"})
"""Fixtures of a whole run that are costly to make."""
SLOW = ("e2e", "datastores", "clients")
"""Folders whose tests start first, so that no worker is left alone with them at the end."""
SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="of the tests' order; 0: as written")


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("seed")
    chosen = random.SystemRandom().randrange(1, 1_000_000) if given is None else given
    config.stash[SEED] = getattr(config, "workerinput", {}).get("seed", chosen)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers have to agree on the order."""
    node.workerinput["seed"] = node.config.stash[SEED]


def pytest_report_header(config: pytest.Config) -> str:
    return f"order: --seed {config.stash[SEED]}"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    for item in items:
        if group := group_of(item):
            # Read by the parallel runner's own hook, which is called by the yield below.
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    if seed := config.stash[SEED]:
        items[:] = shuffled(items, random.Random(seed), slow_first=hasattr(config, "workerinput"))


def group_of(item: pytest.Item) -> str:
    """What one worker has to run together; empty for a test that shares nothing costly."""
    scopes = _scopes_of(item)
    chosen = getattr(item, "callspec", None)
    shared = {name for name, scope in scopes.items() if scope == "module"}
    long = SHARED_FOR_LONG & {name for name, scope in scopes.items() if scope == "session"}
    parts = [str(getattr(item.parent, "nodeid", ""))] if shared or long else []
    if chosen and (shared | long) & set(chosen.params):
        # The id of the test's parameters begins with those of the widest scope.
        parts.append(chosen.id.partition("-")[0])
    return " ".join(parts)


def shuffled(
    items: list[pytest.Item], dice: random.Random, slow_first: bool = False
) -> list[pytest.Item]:
    """Files, and groups, in random order, and in each of them its tests."""
    together: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("xdist_group")
        together[mark.args[0] if mark else str(item.path)].append(item)
    groups = list(together.values())
    dice.shuffle(groups)
    for group in groups:
        dice.shuffle(group)
    if slow_first:
        groups.sort(key=lambda group: not set(SLOW) & set(group[0].path.parts))
    return [item for group in groups for item in group]


def _scopes_of(item: pytest.Item) -> dict[str, str]:
    found = getattr(item, "_fixtureinfo", None)
    definitions = found.name2fixturedefs if found else {}
    return {name: known[-1].scope for name, known in definitions.items()}
