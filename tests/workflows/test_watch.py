"""What a round of the watch costs, and that it misses no server however many there are."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from tests.support.cost import statements_of
from tests.support.filled import PROJECT, add_instances
from trove.engine import Operation
from trove.models import Instance
from trove.models.instance import instance_id_of, resource_name_of
from trove.providers.base import Scope
from trove.testing.world import Cloud
from trove.workflows.steps.watch import AT_ONCE


def round_of(cloud: Cloud) -> list[str]:
    """The statements of one round of the watch."""
    cloud.clock.advance(5)
    return [sql for sql, _ in statements_of(cloud.database, cloud.runner().run_until_idle)]


def take_down(cloud: Cloud, instance_ids: list[str]) -> None:
    place = {"project_id": PROJECT, "availability_zone": None}
    for name in map(resource_name_of, instance_ids):
        record = {"name": name, "state": "down", "detail": "gone", "unenforced": []}
        cloud.world.create("server", name, record | place)


def all_ids(cloud: Cloud) -> list[str]:
    with cloud.database.session() as session:
        return list(session.scalars(select(Instance.id)))


def recovered(cloud: Cloud) -> int:
    with cloud.database.session() as session:
        mine = select(func.count(Operation.subject_id.distinct()))
        return session.scalars(mine.where(Operation.workflow == "instance.recover")).one()


@pytest.mark.parametrize("more", [20, 400])
def test_a_round_executes_as_many_statements_beside_many_instances(cloud: Cloud, more: int) -> None:
    cloud.start_rounds()
    round_of(cloud)
    alone = round_of(cloud)
    add_instances(cloud.database, more)
    assert round_of(cloud) == alone
    assert cloud.world.requests[-1] == more


def test_a_round_reads_no_more_of_an_instance_than_where_its_server_is(cloud: Cloud) -> None:
    add_instances(cloud.database, 3)
    cloud.start_rounds()
    reads = [sql for sql in round_of(cloud) if "FROM instances" in sql and "server_id" in sql]
    assert len(reads) == 1
    columns = reads[0].split("FROM")[0].split()[1:]
    assert {name.strip(",") for name in columns} == {
        "instances.id",
        "instances.project_id",
        "instances.availability_zone",
    }


def test_every_server_is_found_when_all_are_down(cloud: Cloud) -> None:
    count = AT_ONCE + 7
    add_instances(cloud.database, count)
    take_down(cloud, all_ids(cloud))
    cloud.start_rounds()
    # The recoveries themselves need what such rows lack: what they begin with is enough.
    cloud.runner().run_once()
    cloud.runner().run_once()
    assert recovered(cloud) == count


def test_a_server_is_viewed_in_the_scope_in_which_it_was_made(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_instances(cloud.database, 2)
    first, second = sorted(all_ids(cloud))
    with cloud.database.begin() as session:
        zoned = update(Instance).where(Instance.id == second)
        session.execute(zoned.values(availability_zone="z", project_id="other"))
    seen: dict[str, Scope] = {}
    compute = type(cloud.provider.compute)
    monkeypatch.setattr(compute, "server_views", lambda _, scopes: seen.update(scopes) or {})
    cloud.start_rounds()
    round_of(cloud)
    assert seen == {
        resource_name_of(first): Scope(PROJECT, None),
        resource_name_of(second): Scope("other", "z"),
    }


def test_one_that_is_claimed_after_it_was_viewed_is_left_alone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_instances(cloud.database, 2)
    claimed, free = all_ids(cloud)
    take_down(cloud, [claimed, free])
    compute = type(cloud.provider.compute)
    views = compute.server_views

    def view_and_delete(self: object, scopes: dict[str, Scope]) -> object:
        with cloud.database.begin() as session:
            gone = update(Instance).where(Instance.id == claimed)
            session.execute(gone.values(server_id=None))
        return views(self, scopes)  # type: ignore[arg-type]

    monkeypatch.setattr(compute, "server_views", view_and_delete)
    cloud.start_rounds()
    cloud.runner().run_once()
    cloud.runner().run_once()
    assert recovered(cloud) == 1


@pytest.mark.parametrize("instance_id", ["aa", "0e3c1a9e-1111-4222-8333-944444444444", "trove-"])
def test_an_instance_is_found_by_the_name_of_its_resources(instance_id: str) -> None:
    assert instance_id_of(resource_name_of(instance_id)) == instance_id
