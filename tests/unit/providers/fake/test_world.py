from pathlib import Path

import pytest

from tests.support.provider import spec_of
from trove.errors import Unavailable
from trove.providers import fake
from trove.providers.base import ServerState, view_of
from trove.providers.fake import FakeWorld


@pytest.fixture(params=["memory", "directory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path if request.param == "directory" else None)


def test_everything_that_is_made_is_listed(world: FakeWorld) -> None:
    provider = fake.provider_of(world)
    provider.volumes.ensure_volume("a", 1)
    provider.compute.ensure_server(spec_of("a"))
    address = provider.network.ensure_address("a", 5432)
    assert provider.everything() == [f"address/{address}", "server/a", "volume/a"]
    world.clear()
    assert provider.everything() == []


def test_the_hook_is_called_around_every_change(world: FakeWorld) -> None:
    points: list[str] = []
    world.hook = points.append
    provider = fake.provider_of(world)
    provider.volumes.ensure_volume("a", 1)
    provider.volumes.grow_volume("a", 2)
    provider.volumes.grow_volume("a", 2)
    provider.volumes.delete_volume("a")
    verbs = ("create", "change", "delete")
    assert points == [f"{when} {v} volume a" for v in verbs for when in ("before", "after")]


def test_what_the_hook_raises_comes_out(world: FakeWorld) -> None:
    def fail(point: str) -> None:
        if point.startswith("before"):
            raise Unavailable

    world.hook = fail
    with pytest.raises(Unavailable):
        fake.provider_of(world).volumes.ensure_volume("a", 1)
    assert world.everything() == []


def test_a_server_can_be_broken_and_started(world: FakeWorld) -> None:
    compute = fake.provider_of(world).compute
    compute.ensure_server(spec_of("a"))
    world.change("server", "a", state="failed", detail="no host was found")
    assert view_of(compute, "a").detail == "no host was found"
    compute.start_server(spec_of("a"))
    assert view_of(compute, "a").state is ServerState.UP


def test_a_directory_is_shared_by_several_worlds(tmp_path: Path) -> None:
    one, two = FakeWorld(tmp_path), FakeWorld(tmp_path)
    assert one.create("volume", "a", {"size": 1})
    assert not two.create("volume", "a", {"size": 2})
    assert two.get("volume", "a") == {"size": 1}
    two.change("volume", "b", size=3)
    assert two.get("volume", "b") is None


def test_two_names_that_fall_on_one_address_get_two(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zlib.crc32", lambda data: 7)
    network = fake.provider_of(world).network
    addresses = [network.ensure_address(name, 1) for name in "ab"]
    assert addresses == ["10.0.0.7", "10.0.0.8"]
