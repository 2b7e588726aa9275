"""What clients send in shapes of their own is taken for what it means."""

from __future__ import annotations

from typing import Any

import pytest

from trove.testing.world.api import RED, World

FLAVORS: list[dict[str, Any]] = [
    {"flavorRef": "2"},
    {"flavorRef": 2},
    {"flavorRef": 2.0},
    {"flavorRef": "http://trove.test/v1.0/p/flavors/2"},
    {"flavorRef": {"id": "2"}},
    {"flavor": "2"},
    {"flavor": 2},
    {"flavor": {"id": 2, "str_id": "2", "name": "small", "links": []}},
    {"flavor": {"id": None, "str_id": "2"}},
    {"flavor": {"flavorRef": "2"}},
    {"flavor": {"links": [{"rel": "self", "href": "http://trove.test/flavors/2"}]}},
]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_flavor_comes_in_many_shapes(world: World, flavor: dict[str, Any]) -> None:
    order = {"name": "db", "volume": {"size": 1}} | flavor
    answer = world.request("POST", "/instances", {"instance": order})
    assert answer.status_code == 200, answer.text
    assert answer.json()["instance"]["flavor"]["id"] == "2"


@pytest.mark.parametrize("size", [2, 2.0, "2"])
def test_a_size_may_be_a_whole_float(world: World, size: Any) -> None:
    instance_id = world.built(volume={"size": 1.0}, replica_count=1.0)
    for volume in ({"size": size}, size):
        action = {"resize": {"volume": volume}}
        answer = world.request("POST", f"/instances/{instance_id}/action", action)
        # The second is no larger than the first, which shows that the shape was understood.
        assert answer.status_code == (202 if volume == {"size": size} else 400)
        world.settle()
    assert world.get(f"/instances/{instance_id}")["instance"]["volume"]["size"] == 2


@pytest.mark.parametrize(("limit", "code"), [(7.0, 200), (-1.0, 200), (7.5, 400), (1e300, 400)])
def test_a_quota_may_be_a_whole_float(world: World, limit: float, code: int) -> None:
    body = {"quotas": {"instances": limit}}
    answer = world.request("PUT", f"/mgmt/quotas/{RED}", body, who="admin")
    assert answer.status_code == code, answer.text
    if code == 200:
        assert answer.json() == {"quotas": {"instances": int(limit)}}


@pytest.mark.parametrize("who", ["red", "admin"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_whole_document_may_be_sent_back(world: World, method: str, who: str) -> None:
    instance_id = world.built()
    path = f"/instances/{instance_id}"
    shown = world.get(path, who=who)["instance"]
    assert world.request(method, path, {"instance": shown}, who=who).status_code == 202
    unchanged = world.get(path, who=who)["instance"]
    assert unchanged | {"updated": ""} == shown | {"updated": ""}
    access = {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]}
    changed = shown | {"name": "new", "access": access, "status": "ERROR", "replica_of": None}
    assert world.request(method, path, {"instance": changed}, who=who).status_code == 202
    now = world.get(path, who=who)["instance"]
    assert (now["name"], now["access"], now["status"]) == ("new", access, "ACTIVE")


def test_several_changes_are_made_at_once(world: World) -> None:
    instance_id = world.built()
    change = {"name": "new", "configuration": None, "access": {"is_public": True}}
    path = f"/instances/{instance_id}"
    assert world.request("PATCH", path, {"instance": change}).status_code == 202
    shown = world.get(path)["instance"]
    assert (shown["name"], shown["access"]["is_public"]) == ("new", True)


def test_several_networks_are_for_the_infrastructure_to_judge(world: World) -> None:
    nics = [{"net-id": "a"}, {"network_id": "b", "v4-fixed-ip": "10.0.0.9"}]
    assert world.order(nics=nics)
    nics.append({"net-id": "nowhere"})
    order = {"name": "db", "flavorRef": "2", "volume": {"size": 1}, "nics": nics}
    answer = world.request("POST", "/instances", {"instance": order})
    assert (answer.status_code, "nics.network_id" in answer.text) == (400, True)
