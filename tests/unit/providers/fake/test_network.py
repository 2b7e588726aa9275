"""Addresses of the fake infrastructure: one for each name, found without reading all."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from trove.providers.base import Scope
from trove.providers.fake import FakeWorld
from trove.providers.fake.network import FakeNetwork


@pytest.fixture(params=["memory", "files"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> FakeNetwork:
    directory = tmp_path / "world" if request.param == "files" else None
    return FakeNetwork(FakeWorld(directory), Scope("p"))


@pytest.fixture
def collide(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on all names begin with the same address."""
    return lambda: monkeypatch.setattr(zlib, "crc32", lambda _: 7)


def test_a_name_keeps_its_address(network: FakeNetwork) -> None:
    first = network.ensure_address("a", 1)
    assert network.ensure_address("b", 1) != first
    assert network.ensure_address("a", 1) == first
    assert set(network.names()) == {"a", "b"}


def test_names_that_collide_have_an_address_each(
    network: FakeNetwork, collide: Callable[[], None]
) -> None:
    collide()
    given = [network.ensure_address(name, 1) for name in "abc"]
    assert given == ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    assert [network.ensure_address(name, 1) for name in "abc"] == given


@pytest.mark.parametrize("gone", ["a", "b", "c"])
def test_one_that_collided_is_found_when_another_has_gone(
    network: FakeNetwork, collide: Callable[[], None], gone: str
) -> None:
    collide()
    given = {name: network.ensure_address(name, 1) for name in "abc"}
    network.delete_address(gone)
    network.delete_address(gone)
    left = {name: network.ensure_address(name, 1) for name in "abc" if name != gone}
    assert left == {name: address for name, address in given.items() if name != gone}
    assert network.ensure_address("d", 1) == given[gone]


def test_no_other_is_read_while_none_has_collided(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        network.ensure_address(f"n{number}", 1)
    monkeypatch.setattr(FakeWorld, "find", lambda *_, **__: pytest.fail("it reads all"))
    network.ensure_address("another", 1)
    network.ensure_address("n3", 1)
    network.delete_address("n3")
    network.delete_address("never there")


def test_a_collision_is_nothing_that_exists(
    network: FakeNetwork, collide: Callable[[], None]
) -> None:
    collide()
    for name in "ab":
        network.ensure_address(name, 1)
    assert network.world.everything() == ["address/10.0.0.7", "address/10.0.0.8"]
    network.world.clear()
    assert network.world.everything() == []
    assert network.ensure_address("b", 1) == "10.0.0.7"
