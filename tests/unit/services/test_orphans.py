"""What is left of instances that are gone, in every state of the infrastructure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.provider import spec_of
from trove.errors import Unavailable
from trove.models import Instance
from trove.providers.base import Scope
from trove.providers.fake import FakeWorld, Switches, provider_of
from trove.services import instances
from trove.services.orphans import Holding, delete_holding, holdings_of, orphans_of
from trove.testing.world import LEASE, Cloud

SCOPE = Scope("project-1", "fake")
SWITCHES = {
    "at once": Switches(),
    "asynchronous": Switches(pending=3),
    "failing": Switches(failures=1),
    "losing answers": Switches(loses_answers=True),
    "everything": Switches(pending=2, failures=1, loses_answers=True),
}


def stands_still(seconds: float) -> None:
    """No time passes between two looks."""


def stalled(cloud: Cloud, point: str) -> str:
    """An order whose call hangs there beyond its lease, while the instance is deleted."""

    def hang(number: int, name: str) -> None:
        if name != f"before {point} trove-{instance_id}":
            return
        cloud.reset()
        cloud.clock.advance(2 * LEASE.total_seconds())
        instances.delete(cloud.installation, cloud.caller, instance_id)
        cloud.drain()

    instance_id = cloud.order()
    cloud.at = hang
    cloud.drain()
    return f"trove-{instance_id}"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


@pytest.mark.parametrize(
    ("point", "kind"), [("create server", "server"), ("create volume", "volume")]
)
def test_a_call_that_outlives_its_lease_leaves_an_orphan(
    cloud: Cloud, point: str, kind: str
) -> None:
    kept = cloud.built()
    before = cloud.world.everything()
    name = stalled(cloud, point)
    assert cloud.show(kept).status == "ACTIVE"
    [orphan] = orphans_of(cloud.provider, cloud.database)
    assert orphan.holding == Holding(name, (kind,), Scope("project-1", None))
    assert orphan.is_known
    delete_holding(cloud.provider, orphan.holding, stands_still)
    assert cloud.world.everything() == before
    assert orphans_of(cloud.provider, cloud.database) == []


@pytest.mark.parametrize("rounds", range(6))
def test_what_is_being_created_or_deleted_is_no_orphan(cloud: Cloud, rounds: int) -> None:
    created, deleted = cloud.order(), cloud.built()
    instances.delete(cloud.installation, cloud.caller, deleted)
    seen = [orphans_of(cloud.provider, cloud.database)]
    cloud.at = lambda number, name: seen.append(orphans_of(cloud.provider, cloud.database))
    cloud.drain(rounds)
    cloud.drain()
    assert not [orphan for orphans in seen for orphan in orphans if created in orphan.holding.name]
    assert not orphans_of(cloud.provider, cloud.database)


def test_another_database_knows_none_of_it(cloud: Cloud, tmp_path: Path) -> None:
    """Neither an empty one, nor an older copy of the right one."""
    older = cloud.built()
    copy, empty = Cloud(tmp_path / "copy"), Cloud(tmp_path / "empty")
    newer = cloud.built()
    with cloud.database.session() as session, copy.database.begin() as other:
        other.merge(session.get_one(Instance, older))
    for database, living in ((copy.database, {older}), (empty.database, set[str]())):
        orphans = orphans_of(cloud.provider, database)
        assert not any(orphan.is_known for orphan in orphans)
        names = {orphan.holding.name for orphan in orphans}
        assert names == {f"trove-{each}" for each in {older, newer} - living}
    assert orphans_of(cloud.provider, cloud.database) == []


@pytest.mark.parametrize("how", SWITCHES)
def test_everything_of_a_name_is_deleted_on_a_bad_infrastructure(how: str) -> None:
    world = FakeWorld()
    provider = provider_of(world)
    within = provider.within(SCOPE)
    for name in ("trove-1", "trove-2"):
        within.volumes.ensure_volume(name, 1)
        within.compute.ensure_server(spec_of(name))
        within.network.ensure_address(name, 5432)
    world.switches = SWITCHES[how]
    one, two = holdings_of(provider)
    assert one == Holding("trove-1", ("server", "volume", "address"), SCOPE)
    delete_holding(provider, one, stands_still)
    assert holdings_of(provider) == [two]


def test_what_stays_is_reported() -> None:
    world = FakeWorld()
    provider = provider_of(world)
    provider.within(SCOPE).volumes.ensure_volume("trove-1", 1)
    world.switches = Switches(failures=10**6)
    pauses: list[float] = []
    with pytest.raises(Unavailable, match="trove-1 is still being deleted"):
        delete_holding(provider, holdings_of(provider)[0], pauses.append)
    assert sum(pauses) >= 60
