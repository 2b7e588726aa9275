"""Zones, networks, volume types and addresses that are there, and those that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from trove.engine import State
from trove.errors import Failed, Invalid
from trove.models import Instance
from trove.providers.base import VolumeType
from trove.providers.fake.catalog import FakeCatalog
from trove.providers.local.catalog import LocalCatalog
from trove.services import instances
from trove.services.instance_view import unenforced_of
from trove.testing.world import Cloud

FIXED = "10.1.2.3"
"""In the pool of both the fake network and the catalog below."""


@pytest.fixture
def machine(cloud: Cloud) -> Cloud:
    """It offers what the local provider does, out of the pool of the fake network."""
    catalog = LocalCatalog(pool="10.0.0.0/8")
    cloud.installation = replace(cloud.installation, catalog=catalog)
    return cloud


def ignoring(cloud: Cloud) -> Cloud:
    api = replace(cloud.settings.api, ignore_unavailable_placement=True)
    settings = replace(cloud.settings, api=api)
    cloud.installation = replace(cloud.installation, settings=settings)
    return cloud


WISHES: list[tuple[dict[str, Any], str]] = [
    ({"availability_zone": "nova"}, "availability_zone: there is no zone 'nova'"),
    ({"volume_type": "lvmdriver-1"}, "volume.type: no volume type is called 'lvmdriver-1'"),
    ({"nics": [{"network_id": "n-1"}]}, "nics: there are no networks to choose from here"),
    ({"nics": [{"port_id": "p"}]}, "nics: there are no networks to choose from here"),
    ({"nics": [{"network_id": "n", "ip_address": "192.168.0.9"}]}, "nics: there are no networks"),
    ({"nics": [{"network_id": "n"}, {"network_id": "m"}]}, "nics: there is one network here"),
]


@pytest.mark.parametrize(("wish", "message"), WISHES)
def test_what_is_not_there_is_refused(machine: Cloud, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        machine.order(**wish)
    assert machine.used() == {}


@pytest.mark.parametrize(("wish", "message"), WISHES)
def test_an_installation_may_ignore_it(machine: Cloud, wish: dict[str, Any], message: str) -> None:
    view = machine.show(ignoring(machine).order(**wish))
    [shown] = unenforced_of(view, frozenset())
    assert shown.startswith(message)
    row = view.row
    assert (row.availability_zone, row.volume_type, row.nics) == (None, None, [])
    machine.drain()
    # The limits that the server reports come beside it, not in its place.
    assert unenforced_of(machine.show(row.id), frozenset()) == [shown]
    assert machine.show(row.id).status == "ACTIVE"


def test_all_that_is_ignored_is_shown(machine: Cloud) -> None:
    wishes = {name: value for wish, _ in WISHES for name, value in wish.items()}
    view = machine.show(ignoring(machine).order(**wishes))
    fields = [each.partition(":")[0] for each in unenforced_of(view, frozenset())]
    assert fields == ["availability_zone", "volume.type", "nics"]


def test_what_is_there_is_not_ignored(machine: Cloud) -> None:
    wishes = {"availability_zone": "local", "volume_type": "local"}
    view = machine.show(ignoring(machine).order(**wishes, nics=[{"ip_address": FIXED}]))
    row = view.row
    assert (row.availability_zone, row.volume_type) == ("local", "local")
    assert row.nics == [{"ip_address": FIXED}]
    assert unenforced_of(view, frozenset()) == []


def test_an_instance_of_before_has_ignored_nothing(cloud: Cloud) -> None:
    instance_id = cloud.order()
    with cloud.database.begin() as session:
        session.execute(update(Instance).values(ignored=None))
    assert unenforced_of(cloud.show(instance_id), frozenset()) == []


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.0", "a network's own or its broadcast address"),
        ("10.255.255.255", "a network's own or its broadcast address"),
        ("10.3.4.255", "a network's own or its broadcast address"),
        ("127.0.0.1", "is not in the pool 10.0.0.0/8"),
        ("::1", "is not in the pool 10.0.0.0/8"),
    ],
)
def test_an_address_that_none_can_have(
    machine: Cloud, address: str, why: str, ignores: bool
) -> None:
    chosen = ignoring(machine) if ignores else machine
    with pytest.raises(Invalid, match=f"nics.ip_address: .*{why}"):
        chosen.order(nics=[{"ip_address": address}])


def test_an_address_that_an_instance_has(machine: Cloud) -> None:
    taken = machine.show(machine.built()).row.address
    for chosen in (machine, ignoring(machine)):
        with pytest.raises(Invalid, match=f"nics.ip_address: {taken} is taken"):
            chosen.order(nics=[{"ip_address": taken}])


def test_an_address_that_another_order_names(machine: Cloud) -> None:
    first = machine.order(nics=[{"ip_address": FIXED}])
    with pytest.raises(Invalid, match=f"{FIXED} is taken"):
        machine.order(nics=[{"ip_address": FIXED}])
    assert machine.order(nics=[{"ip_address": "10.1.2.4"}]) != first


def test_an_address_is_free_again_after_a_deletion(machine: Cloud) -> None:
    instance_id = machine.built()
    address = machine.show(instance_id).row.address
    instances.delete(machine.installation, machine.caller, instance_id)
    machine.drain()
    assert machine.order(nics=[{"ip_address": address}])


def test_a_creation_that_failed_has_no_address(machine: Cloud) -> None:
    """The same order may be given again, beside what is left of the first one."""

    def refuse(point: int, name: str) -> None:
        if name.startswith("before create address"):
            raise Failed(f"The address {FIXED} is taken, or its port 5432 is.")

    machine.at = refuse
    failed = machine.order(nics=[{"ip_address": FIXED}])
    machine.drain()
    assert machine.last_operation(failed).state == State.FAILED
    assert machine.order(nics=[{"ip_address": FIXED}]) != failed


def test_other_infrastructures_have_many_networks(cloud: Cloud) -> None:
    """The same address in two networks is two addresses: only the infrastructure knows."""
    nics = [{"network_id": "n", "ip_address": FIXED}]
    assert cloud.order(nics=nics) != cloud.order(nics=nics)
    with cloud.database.session() as session:
        assert session.scalars(select(Instance.nics)).all() == [nics, nics]


class Disks(FakeCatalog):
    """Ids that are not names, as in a cloud."""

    def volume_types(self) -> list[VolumeType]:
        return [VolumeType("6ba7", "slow"), VolumeType("6ba8", "fast")]


@pytest.mark.parametrize("wanted", ["6ba8", "fast"])
def test_a_volume_type_by_id_or_name(cloud: Cloud, wanted: str) -> None:
    cloud.installation = replace(cloud.installation, catalog=Disks())
    assert cloud.show(cloud.order(volume_type=wanted)).row.volume_type == "6ba8"
    with pytest.raises(Invalid, match="no volume type is called 'x'; there are: fast, slow"):
        cloud.order(volume_type="x")
