"""What every provider promises; a new folder is taken up by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.provider import SMALL, remove, settings_in, spec_of, until
from trove import providers
from trove.providers.base import Provider, ResizeState, ServerState, ServerView, flavor_of, view_of

NAMES = ("trove-contract-1", "trove-contract-2")
ONE, TWO = NAMES


@pytest.fixture(params=providers.names())
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Provider]:
    made = providers.create(replace(settings_in(tmp_path), provider=request.param))
    yield made
    for name in NAMES:
        remove(made, name)
    shutil.rmtree(tmp_path)


def state(provider: Provider, name: str = ONE) -> ServerState:
    return view_of(provider.compute, name).state


def booted(provider: Provider) -> ServerView:
    provider.volumes.ensure_volume(ONE, 1)
    provider.compute.ensure_server(spec_of(ONE))
    until(lambda: state(provider) is not ServerState.BUILDING)
    return view_of(provider.compute, ONE)


def test_it_bears_the_name_of_its_folder(
    provider: Provider, request: pytest.FixtureRequest
) -> None:
    assert provider.name in request.node.name


def test_the_catalog_has_flavors_with_distinct_ids(provider: Provider) -> None:
    flavors = provider.catalog.flavors()
    assert len({f.id for f in flavors}) == len(flavors) > 0
    assert all(f.memory > 0 and f.vcpus > 0 and f.name for f in flavors)
    assert flavor_of(provider.catalog, flavors[0].id) == flavors[0]
    assert flavor_of(provider.catalog, "no such flavor") is None


def test_the_catalog_has_a_zone_and_a_volume_type(provider: Provider) -> None:
    assert provider.catalog.availability_zones()
    assert provider.catalog.volume_types()


def test_an_address_is_one_names_own_and_stays(provider: Provider) -> None:
    first = provider.network.ensure_address(ONE, 45432)
    second = provider.network.ensure_address(TWO, 45432)
    assert first != second
    assert provider.network.ensure_address(ONE, 45432) == first


def test_an_address_that_was_given_back_can_be_had_again(provider: Provider) -> None:
    provider.network.ensure_address(ONE, 45432)
    for _ in range(2):
        provider.network.delete_address(ONE)
    assert provider.network.ensure_address(ONE, 45432)


def test_a_volume_is_made_once_and_grows(provider: Provider) -> None:
    first = provider.volumes.ensure_volume(ONE, 1)
    assert provider.volumes.ensure_volume(ONE, 1) == first
    for _ in range(2):
        provider.volumes.grow_volume(ONE, 2)
    assert provider.volumes.ensure_volume(ONE, 2) == first


def test_what_is_not_there_can_be_deleted(provider: Provider) -> None:
    for _ in range(2):
        provider.volumes.delete_volume(ONE)
        provider.compute.delete_server(ONE)
        provider.network.delete_address(ONE)
    assert state(provider) is ServerState.ABSENT


def test_a_server_is_made_once_and_is_up(provider: Provider) -> None:
    assert state(provider) is ServerState.ABSENT
    view = booted(provider)
    assert view.state is ServerState.UP
    assert all(isinstance(limit, str) for limit in view.unenforced)
    first = provider.compute.ensure_server(spec_of(ONE))
    assert provider.compute.ensure_server(spec_of(ONE)) == first


def test_a_server_stops_and_starts(provider: Provider) -> None:
    booted(provider)
    for _ in range(2):
        provider.compute.stop_server(ONE)
    until(lambda: state(provider) is ServerState.DOWN)
    for _ in range(2):
        provider.compute.start_server(spec_of(ONE))
    until(lambda: state(provider) is ServerState.UP)


def await_resize(provider: Provider) -> None:
    until(lambda: provider.compute.resize_state(ONE) is not ResizeState.PENDING)
    assert provider.compute.resize_state(ONE) is not ResizeState.FAILED


def test_a_resize_is_confirmed(provider: Provider) -> None:
    booted(provider)
    larger = replace(SMALL, memory=256, vcpus=2)
    for _ in range(2):
        provider.compute.begin_resize(ONE, larger)
        await_resize(provider)
    for _ in range(2):
        provider.compute.confirm_resize(ONE, larger)
        await_resize(provider)
    assert provider.compute.resize_state(ONE) is ResizeState.DONE
    assert state(provider) is ServerState.UP


def test_a_resize_is_reverted_even_after_its_confirmation(provider: Provider) -> None:
    booted(provider)
    larger = replace(SMALL, memory=256, vcpus=2)
    for confirmed in (False, True):
        provider.compute.begin_resize(ONE, larger)
        await_resize(provider)
        if confirmed:
            provider.compute.confirm_resize(ONE, larger)
            await_resize(provider)
        provider.compute.revert_resize(ONE, SMALL)
        await_resize(provider)
    assert provider.compute.resize_state(ONE) is ResizeState.DONE
    assert state(provider) is ServerState.UP


def test_servers_are_viewed_together(provider: Provider) -> None:
    booted(provider)
    views = provider.compute.server_views([ONE, TWO])
    assert {name: view.state for name, view in views.items()} == {
        ONE: ServerState.UP,
        TWO: ServerState.ABSENT,
    }


def test_a_deleted_server_is_absent_and_can_be_made_again(provider: Provider) -> None:
    booted(provider)
    for _ in range(2):
        provider.compute.delete_server(ONE)
    until(lambda: state(provider) is ServerState.ABSENT)
    assert booted(provider).state is ServerState.UP


def test_servers_do_not_touch_each_other(provider: Provider) -> None:
    booted(provider)
    provider.compute.delete_server(TWO)
    provider.volumes.delete_volume(TWO)
    assert state(provider) is ServerState.UP
