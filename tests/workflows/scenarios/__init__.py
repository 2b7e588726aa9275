"""What each workflow is tested with: how it starts, and what is true once it is done.

One module for each workflow, named after it, with a tuple SCENARIOS of `Scenario`, or of `Round`
for a periodic one. The modules are found by scanning this package, and a test fails when a
registered workflow has none.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from trove.errors import Unavailable
from trove.providers.base import ServerState, view_of
from trove.testing.world import Cloud
from trove.workflows import WORKFLOWS

USED = {"instances": 1, "ram": 512, "volumes": 1}
ACTIVE: dict[str, object] = {"status": "ACTIVE", "operating_status": "HEALTHY", "fault": None}
BUILT = 3
"""Resources of an instance: address, volume, server."""


@dataclass(frozen=True)
class Scenario:
    """One workflow on an instance, which is built before unless `builds`."""

    workflow: str
    begin: Callable[[Cloud, str], None]
    done: dict[str, object]
    """Attributes of the instance's view afterwards; nothing is checked of a deleted instance."""
    used: dict[str, int]
    """Quota in use afterwards."""
    builds: bool = False
    """It is the creation itself."""
    after_failure: tuple[str, ...] = ("HEALTHY",)
    """Operating statuses of the instance that may follow a failure."""

    @property
    def removes(self) -> bool:
        return WORKFLOWS[self.workflow].removes_subject

    @property
    def reversible(self) -> bool:
        return WORKFLOWS[self.workflow].reversible

    @property
    def resources(self) -> int:
        return 0 if self.removes else BUILT

    def start(self, cloud: Cloud) -> str:
        if self.builds:
            return cloud.order()
        instance_id = cloud.built()
        self.begin(cloud, instance_id)
        return instance_id


@dataclass(frozen=True)
class Round:
    """One periodic workflow: what it finds, and what it has achieved after a few rounds."""

    workflow: str
    arrange: Callable[[Cloud, str], None]
    """Given an instance that is built."""
    is_done: Callable[[Cloud, str], bool]
    rounds: int = 3

    def start(self, cloud: Cloud) -> str:
        instance_id = cloud.built()
        self.arrange(cloud, instance_id)
        cloud.start_rounds(self.workflow)
        return instance_id


def take_down(cloud: Cloud, instance_id: str) -> None:
    """The server goes down by itself, whatever the infrastructure answers to requests."""
    name = f"trove-{instance_id}"
    for _ in range(10):
        with suppress(Unavailable):
            cloud.world.change("server", name, state=ServerState.DOWN.value)
        if view_of(cloud.provider.compute, name).state is ServerState.DOWN:
            return
    raise AssertionError("the server does not go down")


def by_service(action: Callable[..., object], *args: object) -> Callable[[Cloud, str], None]:
    """Starts a workflow as the API does."""
    return partial(_call, action, args)


def _call(
    action: Callable[..., object], args: tuple[object, ...], cloud: Cloud, instance_id: str
) -> None:
    action(cloud.installation, cloud.caller, instance_id, *args)


def scenarios() -> list[Scenario]:
    return [each for each in _found() if isinstance(each, Scenario)]


def rounds() -> list[Round]:
    return [each for each in _found() if isinstance(each, Round)]


def modules() -> Iterator[ModuleType]:
    """Every module of this package."""
    for found in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f"{__name__}.{found.name}")


def _found() -> Iterator[Scenario | Round]:
    for module in modules():
        yield from module.SCENARIOS
