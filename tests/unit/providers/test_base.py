"""What is derived from a provider's data, and what a provider has by default."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.support.provider import local_provider
from trove.providers.base import (
    ANYWHERE,
    Capability,
    Scope,
    ServerState,
    unenforced_access,
    view_of,
)
from trove.providers.fake import FakeWorld, provider_of

FIELDS = {
    "allowed_cidrs": (["10.0.0.0/8"], Capability.FIREWALL),
    "is_public": (True, Capability.PUBLIC_ADDRESS),
}
SUBSETS = [
    frozenset(chosen)
    for count in range(len(Capability) + 1)
    for chosen in itertools.combinations(Capability, count)
]


@pytest.mark.parametrize("capabilities", SUBSETS, ids=lambda c: "+".join(sorted(c)) or "none")
@pytest.mark.parametrize("requested", [(), ("allowed_cidrs",), ("is_public",), tuple(FIELDS)])
def test_what_nothing_enforces_follows_from_the_capabilities(
    requested: tuple[str, ...], capabilities: frozenset[Capability]
) -> None:
    access = {name: FIELDS[name][0] for name in requested}
    found = unenforced_access(access, capabilities)
    missing = [name for name in requested if FIELDS[name][1] not in capabilities]
    assert [line.partition(":")[0] for line in found] == [f"access.{name}" for name in missing]


def test_what_is_not_requested_is_not_shown() -> None:
    access = {"allowed_cidrs": [], "is_public": False, "unknown": True}
    assert unenforced_access(access, frozenset()) == []


def test_a_capability_is_its_name() -> None:
    assert Capability("firewall") is Capability.FIREWALL
    assert [str(each) for each in Capability] == [
        "online_volume_grow",
        "firewall",
        "public_address",
    ]


def test_by_default_a_scope_changes_nothing(tmp_path: Path) -> None:
    provider = local_provider(tmp_path)
    within = provider.within(Scope("project-1", "local"))
    assert within.compute is provider.compute
    assert within.catalog is provider.catalog


def test_no_one_sees_the_servers_of_another_project() -> None:
    provider = provider_of(FakeWorld())
    scope = Scope("project-1", "zone-1")
    provider.world.create("server", "trove-1", {"state": "up", "detail": "", "unenforced": []})
    provider.world.change("server", "trove-1", project_id="project-1", availability_zone="zone-1")
    views = [view_of(provider.compute, "trove-1", each) for each in (scope, ANYWHERE, Scope("x"))]
    up, absent = ServerState.UP, ServerState.ABSENT
    assert [view.state for view in views] == [up, up, absent]
