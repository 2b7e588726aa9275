"""The contract of providers, as test classes that a package elsewhere runs on its own provider.

A package has `pytest_plugins = ["trove.testing.providers"]` in its `conftest.py`, and there a
fixture `provider`; in a test module it derives a class from each contract: `class
TestServers(ServersContract): ...`. `template` and `patience` may be overridden.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from trove.datastores import datastores, manifest_of
from trove.errors import Unavailable
from trove.providers.base import (
    ANYWHERE,
    Capability,
    Flavor,
    Provider,
    ResizeState,
    Scope,
    ServerSpec,
    ServerState,
    ServerView,
    VolumeState,
    flavor_of,
    view_of,
)

T = TypeVar("T")

LOOK_EVERY = 0.02
"""Seconds."""
PORT = 45432
"""One that no engine listens at."""


@dataclass(frozen=True)
class Site:
    """A provider with the two names that a test uses: each call is awaited, as recipes do it."""

    provider: Provider
    scope: Scope
    template: ServerSpec
    patience: float
    one: str
    other: str

    def carry_out(self, call: Callable[[], T]) -> T:
        """Repeat a call for as long as the infrastructure is unavailable or busy."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return call()
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_EVERY)

    def until(self, look: Callable[[], T], *wanted: object) -> T:
        """Look again until one of these is seen; an AssertionError says what was seen last."""
        deadline = time.monotonic() + self.patience
        while (seen := look()) not in wanted:
            assert time.monotonic() < deadline, f"{seen} in place of {wanted}: {self.details()}"
            time.sleep(LOOK_EVERY)
        return seen

    def details(self) -> str:
        """Why the server is as it is; of a local one, the end of its log."""
        return view_of(self.provider.compute, self.one, self.scope).detail

    def spec(self, name: str = "") -> ServerSpec:
        name = name or self.one
        return replace(self.template, name=name, instance_id=name, volume=name)

    def server(self, name: str = "") -> ServerState:
        return view_of(self.provider.compute, name or self.one, self.scope).state

    def volume(self, name: str = "") -> VolumeState:
        return self.provider.volumes.volume_view(name or self.one).state

    def resize(self) -> ResizeState:
        return self.provider.compute.resize_state(self.one)

    def ensure_volume(self, size: int = 1) -> str:
        made = self.carry_out(lambda: self.provider.volumes.ensure_volume(self.one, size))
        self.until(self.volume, VolumeState.READY)
        return made

    def grow_volume(self, size: int) -> None:
        self.carry_out(lambda: self.provider.volumes.grow_volume(self.one, size))
        self.until(self.volume, VolumeState.READY)

    def ensure_address(self, name: str) -> str:
        return self.carry_out(lambda: self.provider.network.ensure_address(name, PORT))

    def delete_address(self, name: str) -> None:
        self.carry_out(lambda: self.provider.network.delete_address(name))

    def ensure_server(self) -> str:
        made = self.carry_out(lambda: self.provider.compute.ensure_server(self.spec()))
        self.until(self.server, ServerState.UP)
        return made

    def boot(self) -> ServerView:
        """A server with its volume, running."""
        self.ensure_volume()
        self.ensure_server()
        return view_of(self.provider.compute, self.one, self.scope)

    def stop(self) -> None:
        self.carry_out(lambda: self.provider.compute.stop_server(self.one))
        self.until(self.server, ServerState.DOWN)

    def start(self) -> None:
        self.carry_out(lambda: self.provider.compute.start_server(self.spec()))
        self.until(self.server, ServerState.UP)

    def begin_resize(self, flavor: Flavor) -> None:
        self.carry_out(lambda: self.provider.compute.begin_resize(self.one, flavor))
        # What needs no confirmation is done at once.
        self.until(self.resize, ResizeState.READY, ResizeState.DONE)

    def confirm_resize(self, flavor: Flavor) -> None:
        self.carry_out(lambda: self.provider.compute.confirm_resize(self.one, flavor))
        self.until(self.resize, ResizeState.DONE)

    def revert_resize(self, flavor: Flavor) -> None:
        self.carry_out(lambda: self.provider.compute.revert_resize(self.one, flavor))
        self.until(self.resize, ResizeState.DONE)

    def delete_server(self, name: str) -> None:
        self.carry_out(lambda: self.provider.compute.delete_server(name))
        self.until(lambda: self.server(name), ServerState.ABSENT)

    def delete_volume(self, name: str) -> None:
        self.carry_out(lambda: self.provider.volumes.delete_volume(name))
        self.until(lambda: self.volume(name), VolumeState.ABSENT)

    def remove(self, name: str) -> None:
        """All that there is of this name; the server first, which has the volume in use."""
        self.delete_server(name)
        self.delete_volume(name)
        self.delete_address(name)


@pytest.fixture
def patience() -> float:
    """Seconds for one action of the infrastructure."""
    return 60.0


@pytest.fixture
def template(provider: Provider) -> ServerSpec:
    """What servers are made from; names are replaced. A real infrastructure needs its image."""
    return ServerSpec(
        name="",
        instance_id="",
        flavor=sizes_of(provider)[0],
        manager=min(datastores()),
        version="1",
        image=None,
        volume="",
        address="127.70.0.1",
        port=PORT,
        agent_files={"agent.json": '{"conductor_url": "http://127.70.0.1:1", "token": "secret"}'},
    )


@pytest.fixture
def site(provider: Provider, template: ServerSpec, patience: float) -> Iterator[Site]:
    """In a scope of its own, with names that no other process on the infrastructure uses."""
    zone = provider.catalog.availability_zones()[0]
    scope = Scope("contract", zone)
    within = provider.within(scope)
    names = [f"trove-{uuid.uuid4()}" for _ in range(2)]
    made = Site(within, scope, template, patience, *names)
    yield made
    for name in names:
        made.remove(name)


def sizes_of(provider: Provider) -> list[Flavor]:
    """The flavors of the catalog, the smallest first."""
    return sorted(provider.catalog.flavors(), key=lambda flavor: (flavor.memory, flavor.vcpus))


class CatalogContract:
    """What `Catalog` and `Provider` promise."""

    def test_flavors_have_distinct_ids(self, provider: Provider) -> None:
        flavors = provider.catalog.flavors()
        assert len({f.id for f in flavors}) == len(flavors) > 0
        assert all(f.memory > 0 and f.vcpus > 0 and f.name for f in flavors)

    def test_a_flavor_is_found_by_its_id(self, provider: Provider) -> None:
        for flavor in provider.catalog.flavors():
            assert flavor_of(provider.catalog, flavor.id) == flavor
        assert flavor_of(provider.catalog, "no such flavor") is None

    def test_there_are_a_zone_and_a_volume_type(self, provider: Provider) -> None:
        assert provider.catalog.availability_zones()
        kinds = provider.catalog.volume_types()
        assert len({kind.id for kind in kinds}) == len(kinds) > 0

    def test_a_server_needs_no_network_to_be_named(self, provider: Provider) -> None:
        assert provider.catalog.check_nics(()) is None

    def test_the_image_of_its_servers_is_known(
        self, provider: Provider, template: ServerSpec
    ) -> None:
        if template.image is not None:
            manifest = manifest_of(template.manager)
            programs = (manifest.program, *manifest.other_programs)
            provider.catalog.check_image(template.image, (), programs)

    def test_capabilities_are_known_ones(self, provider: Provider) -> None:
        assert provider.capabilities <= set(Capability)


class NetworkContract:
    """What `Network` promises."""

    def test_an_address_belongs_to_one_name_and_stays(self, site: Site) -> None:
        first, second = site.ensure_address(site.one), site.ensure_address(site.other)
        assert first != second
        assert site.ensure_address(site.one) == first

    def test_an_address_that_was_deleted_can_be_had_again(self, site: Site) -> None:
        site.ensure_address(site.one)
        for _ in range(2):
            site.delete_address(site.one)
        assert site.ensure_address(site.one)


class VolumesContract:
    """What `Volumes` promises."""

    def test_a_volume_is_made_once_and_grows(self, site: Site) -> None:
        first = site.ensure_volume()
        assert site.ensure_volume() == first
        for _ in range(2):
            site.grow_volume(2)
        assert site.ensure_volume(2) == first

    def test_a_volume_never_shrinks(self, site: Site) -> None:
        site.ensure_volume(2)
        site.grow_volume(1)
        assert site.volume() is VolumeState.READY

    def test_a_volume_grows_under_its_server(self, site: Site) -> None:
        site.boot()
        online = Capability.ONLINE_VOLUME_GROW in site.provider.capabilities
        if not online:
            site.stop()
        site.grow_volume(2)
        assert site.server() is (ServerState.UP if online else ServerState.DOWN)

    def test_a_deleted_volume_is_absent_and_can_be_made_again(self, site: Site) -> None:
        site.ensure_volume()
        for _ in range(2):
            site.delete_volume(site.one)
        assert site.ensure_volume()


class ServersContract:
    """What `Compute` promises."""

    def test_what_is_absent_can_be_deleted(self, site: Site) -> None:
        for _ in range(2):
            site.remove(site.one)
        assert site.server() is ServerState.ABSENT

    def test_a_server_is_made_once_and_is_up(self, site: Site) -> None:
        assert site.server() is ServerState.ABSENT
        view = site.boot()
        assert view.state is ServerState.UP, view.detail
        first = site.ensure_server()
        assert site.ensure_server() == first

    def test_limits_that_nothing_enforces_are_named_with_the_reason(self, site: Site) -> None:
        assert all(": " in limit for limit in site.boot().unenforced)

    def test_a_server_stops_and_starts(self, site: Site) -> None:
        site.boot()
        for _ in range(2):
            site.stop()
        for _ in range(2):
            site.start()

    def test_a_resize_is_confirmed(self, site: Site) -> None:
        site.boot()
        larger = sizes_of(site.provider)[1]
        for _ in range(2):
            site.begin_resize(larger)
        for _ in range(2):
            site.confirm_resize(larger)
        site.until(site.server, ServerState.UP)

    def test_a_resize_is_reverted_even_after_its_confirmation(self, site: Site) -> None:
        site.boot()
        smaller, larger = sizes_of(site.provider)[:2]
        for is_confirmed in (False, True):
            site.begin_resize(larger)
            if is_confirmed:
                site.confirm_resize(larger)
            site.revert_resize(smaller)
        site.until(site.server, ServerState.UP)

    def test_servers_are_viewed_together(self, site: Site) -> None:
        site.boot()
        views = site.provider.compute.server_views({n: site.scope for n in (site.one, site.other)})
        assert {name: view.state for name, view in views.items()} == {
            site.one: ServerState.UP,
            site.other: ServerState.ABSENT,
        }
        assert site.provider.compute.server_views({}) == {}

    def test_what_exists_is_listed_with_its_scope(self, site: Site) -> None:
        parts = (site.provider.compute, site.provider.volumes, site.provider.network)
        assert not any({site.one, site.other} & set(part.names()) for part in parts)
        site.boot()
        site.ensure_address(site.one)
        scopes = [part.names()[site.one] for part in parts]
        assert set(scopes) <= {site.scope, ANYWHERE}
        site.remove(site.one)
        assert not any(site.one in part.names() for part in parts)

    def test_a_deleted_server_is_absent_and_can_be_made_again(self, site: Site) -> None:
        site.boot()
        for _ in range(2):
            site.delete_server(site.one)
        assert site.boot().state is ServerState.UP

    def test_servers_do_not_touch_each_other(self, site: Site) -> None:
        site.boot()
        site.remove(site.other)
        assert site.server() is ServerState.UP
