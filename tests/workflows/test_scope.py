"""Project and zone reach every call to the infrastructure, whatever makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from trove.providers.base import Catalog, Compute, Network, Scope, Volumes
from trove.providers.fake import FakeProvider
from trove.services import instances
from trove.testing.world import Cloud

ZONE = "fake"
SCOPE = Scope("project-1", ZONE)
PROMISED = {
    f"{part}.{method}"
    for part, protocol in (
        ("compute", Compute),
        ("volumes", Volumes),
        ("network", Network),
        ("catalog", Catalog),
    )
    for method in vars(protocol)
    if not method.startswith("_")
}
OF_ALL = {
    "compute.names",
    "volumes.names",
    "network.names",
    "catalog.within",
    "catalog.check_image",
}
"""What is called for the whole installation, or for a list of types."""
BY_PROJECT = {"catalog.volume_types"}
"""Called by the API alone."""

Calls = dict[str, set[Scope]]


class Part:
    """Any part of a provider, which notes in which scope each method is called."""

    def __init__(self, name: str, part: Any, scope: Scope, calls: Calls) -> None:
        self._name, self._part, self._scope, self._calls = name, part, scope, calls

    def within(self, scope: Scope) -> Part:
        return Part(self._name, self._part.within(scope), scope, self._calls)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            scopes = args[0].values() if method == "server_views" else [self._scope]
            self._calls.setdefault(f"{self._name}.{method}", set()).update(scopes)
            return getattr(self._part, method)(*args)

        return call


@dataclass(frozen=True)
class Recording(FakeProvider):
    """The fake, with its parts recorded."""

    calls: Calls = field(kw_only=True)

    def within(self, scope: Scope) -> FakeProvider:
        made = super().within(scope)
        parts: dict[str, Any] = {
            name: Part(name, getattr(made, name), scope, self.calls)
            for name in ("compute", "volumes", "network")
        }
        return replace(made, **parts)


@pytest.fixture
def calls(cloud: Cloud) -> Calls:
    found: Calls = {}
    known = {key: getattr(cloud.provider, key) for key in FakeProvider.__dataclass_fields__}
    parts = {key: Part(key, known[key], Scope(), found) for key in ("compute", "catalog")}
    cloud.provider = Recording(**(known | parts), calls=found)
    cloud.installation = replace(cloud.installation, catalog=cloud.provider.catalog)
    return found


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, capabilities=frozenset())


def test_every_call_is_made_in_the_scope_of_its_instance(cloud: Cloud, calls: Calls) -> None:
    instance_id = cloud.order(availability_zone=ZONE)
    cloud.drain()
    call = (cloud.installation, cloud.caller, instance_id)
    instances.resize_flavor(*call, "3")
    cloud.drain()
    instances.resize_volume(*call, 2)
    cloud.drain()
    instances.reboot(*call)
    cloud.drain()
    cloud.start_rounds()
    cloud.drain(2)
    instances.delete(*call)
    cloud.drain()
    by_project = {name: found for name, found in calls.items() if name.startswith("catalog")}
    assert by_project and all(found == {Scope("project-1")} for found in by_project.values())
    others = {name: found for name, found in calls.items() if name not in by_project}
    assert all(found == {SCOPE} for found in others.values()), others
    assert set(calls) >= PROMISED - OF_ALL - BY_PROJECT - {"compute.revert_resize"}
