"""Orders, changes and deletion: what is refused, what is written, what others may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from trove.datastores import datastore_of, parts
from trove.engine import Operation
from trove.errors import Forbidden, Invalid, NotFound, NotReady, OverQuota, Reserved
from trove.models import Agent, Datastore, DatastoreVersion, Event, Instance
from trove.protocol import Account, DatabaseAccount
from trove.providers.base import Capability, Flavor
from trove.providers.fake.catalog import FakeCatalog
from trove.services import accounts, instance_order, instances
from trove.services.installation import Caller
from trove.services.instance_view import unenforced_of
from trove.settings import LimitSettings
from trove.testing import TaskFailure
from trove.testing.world import Cloud

OTHER = Caller("project-2", "user-2")
ADMIN = Caller("admin-project", "admin", is_admin=True)


def rows(cloud: Cloud) -> int:
    with cloud.database.session() as session:
        kinds = (Instance, Operation, Event)
        return sum(session.scalar(select(func.count()).select_from(k)) or 0 for k in kinds)


def with_limits(cloud: Cloud, **limits: int) -> None:
    settings = replace(cloud.settings, limits=LimitSettings(**limits))
    cloud.installation = replace(cloud.installation, settings=settings)


APP = DatabaseAccount("app")


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"name": ""}, Invalid, "name"),
        ({"name": "--"}, Invalid, "name"),
        ({"name": "x" * 256}, Invalid, "name"),
        ({"flavor_id": "99"}, Invalid, "flavorRef"),
        ({"volume_size": None}, Invalid, "volume.size"),
        ({"volume_size": 0}, Invalid, "volume.size"),
        ({"volume_size": -1}, Invalid, "volume.size"),
        ({"volume_size": 11}, OverQuota, "volume.size"),
        ({"availability_zone": "nova"}, Invalid, "availability_zone: there is no zone 'nova'"),
        ({"datastore": "oracle"}, Invalid, "datastore.type"),
        ({"datastore_version": "99"}, Invalid, "datastore.version"),
        ({"databases": [APP, APP]}, Invalid, "databases.name"),
        ({"databases": [DatabaseAccount("postgres")]}, Reserved, "databases.name"),
        (
            {"databases": [DatabaseAccount("a", collate="latin1_swedish_ci")]},
            Invalid,
            "databases.collate",
        ),
        ({"users": [Account("app")]}, Invalid, "users.password"),
        ({"users": [Account("postgres", password="secret-1")]}, Reserved, "users.name"),
        (
            {"users": [Account("joe", password="secret-1", databases=["none"])]},
            Invalid,
            "users.databases",
        ),
    ],
)
def test_a_wrong_order_leaves_nothing(
    cloud: Cloud, fields: dict[str, Any], error: type[Exception], named: str
) -> None:
    before = rows(cloud)
    with pytest.raises(error, match=named):
        cloud.order(**fields)
    assert rows(cloud) == before
    assert cloud.used() == {}


def test_an_order_is_an_event_and_its_secrets_are_sealed(cloud: Cloud) -> None:
    user = Account("joe", password="very secret", databases=["app"])
    instance_id = cloud.order(databases=[APP], users=[user])
    operation = cloud.last_operation(instance_id)
    assert "very secret" not in f"{operation.args} {operation.sealed}"
    assert operation.sealed is not None
    assert cloud.installation.vault.open(operation.sealed)["users"][0]["name"] == "joe"
    with cloud.database.session() as session:
        event = session.scalars(select(Event)).one()
    assert (event.kind, event.request_id) == ("instance.create.start", "req-1")
    assert cloud.used() == {"instances": 1, "ram": 512, "volumes": 1}


def test_the_last_place(cloud: Cloud) -> None:
    with_limits(cloud, max_instances_per_tenant=1)
    cloud.order()
    with pytest.raises(OverQuota, match="instances"):
        cloud.order()
    other = replace(cloud.caller, project_id="project-3")
    cloud.caller = other
    cloud.order()


def test_no_datastore_at_all(cloud: Cloud) -> None:
    with cloud.database.begin() as session:
        session.delete(session.get_one(DatastoreVersion, "v-1"))
        session.flush()
        session.delete(session.get_one(Datastore, "ds-1"))
    with pytest.raises(Invalid, match="datastore_discover"):
        cloud.order()


def test_a_datastore_without_an_active_version(cloud: Cloud) -> None:
    with cloud.database.begin() as session:
        session.get_one(DatastoreVersion, "v-1").active = False
    with pytest.raises(Invalid, match="no active version"):
        cloud.order()


@pytest.mark.parametrize("version", ["v-1", "15", "15.20"])
def test_a_version_by_id_name_or_number(cloud: Cloud, version: str) -> None:
    instance_id = cloud.order(datastore="ds-1", datastore_version=version)
    view = cloud.show(instance_id)
    assert (view.datastore, view.datastore_version_number) == ("postgresql", "15.20")


class Tiny(FakeCatalog):
    """Nothing that an engine fits into."""

    def flavors(self) -> list[Flavor]:
        return [Flavor("0", "tiny", memory=16, vcpus=1)]


def test_a_flavor_that_is_too_small_for_the_engine(cloud: Cloud) -> None:
    cloud.installation = replace(cloud.installation, catalog=Tiny())
    with pytest.raises(Invalid, match="flavorRef"):
        cloud.order(flavor_id="0")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"databases": [APP]}, "databases"),
        ({"users": [Account("joe", password="secret-1")]}, "users"),
    ],
)
def test_an_engine_without_accounts(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], named: str
) -> None:
    datastore = datastore_of("postgresql")
    bare = parts.Datastore(datastore.manifest, datastore.driver)
    monkeypatch.setattr(instance_order, "datastore_of", lambda _: bare)
    with pytest.raises(Invalid, match=f"^{named}: .* has no {named}"):
        cloud.order(**fields)


def test_who_is_no_administrator(cloud: Cloud) -> None:
    ADMIN.must_be_admin()
    with pytest.raises(Forbidden):
        OTHER.must_be_admin()


def test_pages_newest_first(cloud: Cloud) -> None:
    ids = [cloud.order(name=f"db-{n}") for n in range(5)]
    first = instances.list_page(cloud.installation, cloud.caller, limit=2)
    assert [view.row.id for view in first.items] == [ids[4], ids[3]]
    second = instances.list_page(
        cloud.installation, cloud.caller, limit=2, marker=first.next_marker
    )
    assert [view.row.id for view in second.items] == [ids[2], ids[1]]
    last = instances.list_page(cloud.installation, cloud.caller, limit=2, marker=ids[1])
    assert ([view.row.id for view in last.items], last.next_marker) == ([ids[0]], None)
    with pytest.raises(NotFound, match="marker"):
        instances.list_page(cloud.installation, cloud.caller, limit=2, marker="nothing")


def test_a_marker_reveals_nothing_of_another_project(cloud: Cloud) -> None:
    mine = cloud.order()
    with pytest.raises(NotFound, match="marker"):
        instances.list_page(cloud.installation, OTHER, limit=2, marker=mine)
    every = instances.list_page(cloud.installation, ADMIN, limit=2, marker=mine, all_projects=True)
    assert every.items == []


def test_lists_of_others_are_for_administrators(cloud: Cloud) -> None:
    mine, gone = cloud.built(), cloud.built()
    instances.delete(cloud.installation, cloud.caller, gone)
    cloud.drain()

    def listed(caller: Caller, **chosen: Any) -> list[str]:
        page = instances.list_page(cloud.installation, caller, limit=20, **chosen)
        return [view.row.id for view in page.items]

    assert listed(OTHER) == []
    assert listed(ADMIN) == []
    assert listed(ADMIN, all_projects=True) == [mine]
    assert listed(ADMIN, all_projects=True, project_id="project-1") == [mine]
    assert listed(ADMIN, all_projects=True, project_id="project-2") == []
    assert listed(ADMIN, all_projects=True, deleted=True) == [gone]


CHANGES: list[Callable[[Cloud, Caller, str], object]] = [
    lambda c, who, it: instances.update(c.installation, who, it, {"name": "new"}),
    lambda c, who, it: instances.update(c.installation, who, it, {"access": {"is_public": True}}),
    lambda c, who, it: instances.delete(c.installation, who, it),
    lambda c, who, it: instances.force_delete(c.installation, who, it),
    lambda c, who, it: instances.reset_status(c.installation, who, it),
    lambda c, who, it: instances.restart(c.installation, who, it),
    lambda c, who, it: instances.stop(c.installation, who, it),
    lambda c, who, it: instances.reboot(c.installation, who, it),
    lambda c, who, it: instances.resize_flavor(c.installation, who, it, "3"),
    lambda c, who, it: instances.resize_volume(c.installation, who, it, 2),
]


@pytest.mark.parametrize("change", CHANGES)
def test_another_project_does_not_find_it(
    cloud: Cloud, change: Callable[[Cloud, Caller, str], object]
) -> None:
    instance_id = cloud.built()
    before = rows(cloud)
    with pytest.raises(NotFound):
        change(cloud, OTHER, instance_id)
    assert rows(cloud) == before
    change(cloud, ADMIN, instance_id)
    assert rows(cloud) > before


@pytest.mark.parametrize("change", CHANGES[5:])
def test_a_busy_instance_is_not_changed(
    cloud: Cloud, change: Callable[[Cloud, Caller, str], object]
) -> None:
    instance_id = cloud.built()
    instances.restart(cloud.installation, cloud.caller, instance_id)
    used = cloud.used()
    with pytest.raises(NotReady, match=r"busy: instance\.restart"):
        change(cloud, cloud.caller, instance_id)
    assert cloud.used() == used


def test_a_silent_agent_gets_no_task(cloud: Cloud) -> None:
    instance_id = cloud.built()
    cloud.clock.advance(91)
    assert cloud.words(instance_id) == ("ACTIVE", "ERROR")
    with pytest.raises(NotReady, match="silent since"):
        instances.restart(cloud.installation, cloud.caller, instance_id)
    instances.reboot(cloud.installation, cloud.caller, instance_id)


def test_an_agent_that_never_enrolled_gets_no_task(cloud: Cloud) -> None:
    cloud.agents.failures = {"prepare": TaskFailure("no")}
    instance_id = cloud.order()
    cloud.drain()
    with pytest.raises(NotReady, match="never built"):
        instances.restart(cloud.installation, cloud.caller, instance_id)


def test_sizes(cloud: Cloud) -> None:
    instance_id = cloud.built()
    for size, error in ((1, Invalid), (0, Invalid), (99, OverQuota)):
        with pytest.raises(error, match=r"volume\.size"):
            instances.resize_volume(cloud.installation, cloud.caller, instance_id, size)
    for flavor in ("2", "99"):
        with pytest.raises(Invalid, match="flavorRef"):
            instances.resize_flavor(cloud.installation, cloud.caller, instance_id, flavor)
    with_limits(cloud, max_volumes_per_tenant=2, max_ram_per_tenant=600)
    with pytest.raises(OverQuota, match="volumes"):
        instances.resize_volume(cloud.installation, cloud.caller, instance_id, 3)
    with pytest.raises(OverQuota, match="ram"):
        instances.resize_flavor(cloud.installation, cloud.caller, instance_id, "3")
    assert cloud.used() == {"instances": 1, "ram": 512, "volumes": 1}


def test_smaller_flavors_give_memory_back(cloud: Cloud) -> None:
    instance_id = cloud.built(flavor_id="3")
    instances.resize_flavor(cloud.installation, cloud.caller, instance_id, "2")
    assert cloud.used()["ram"] == 1024
    cloud.drain()
    assert cloud.used()["ram"] == 512


def test_a_source_is_not_deleted_before_its_replicas(cloud: Cloud) -> None:
    source, replica = cloud.built(), cloud.built()
    with cloud.database.begin() as session:
        session.get_one(Instance, replica).replica_of = source
    assert cloud.show(source).replicas == [replica]
    with pytest.raises(Forbidden, match="replicas"):
        instances.delete(cloud.installation, cloud.caller, source)


def test_deleting_twice_is_deleting_once(cloud: Cloud) -> None:
    instance_id = cloud.built()
    instances.delete(cloud.installation, cloud.caller, instance_id)
    operation = cloud.last_operation(instance_id)
    instances.delete(cloud.installation, cloud.caller, instance_id)
    assert cloud.last_operation(instance_id).id == operation.id
    cloud.drain()
    with pytest.raises(NotFound):
        instances.delete(cloud.installation, cloud.caller, instance_id)
    with pytest.raises(NotFound):
        cloud.show(instance_id)
    with pytest.raises(NotFound):
        instances.show(cloud.installation, ADMIN, instance_id)
    gone = instances.show(cloud.installation, ADMIN, instance_id, deleted=True)
    assert (gone.row.deleted_at is not None, gone.status) == (True, "SHUTDOWN")


def test_resetting_gives_up_what_goes_on(cloud: Cloud) -> None:
    instance_id = cloud.built()
    instances.resize_volume(cloud.installation, cloud.caller, instance_id, 3)
    instances.reset_status(cloud.installation, ADMIN, instance_id)
    assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")
    assert cloud.used()["volumes"] == 1
    instances.reset_status(cloud.installation, ADMIN, instance_id)
    assert cloud.show(instance_id).operation_id is None


def test_a_new_name(cloud: Cloud) -> None:
    instance_id = cloud.built()
    columns = {"name": "other", "access": {"is_public": True}}
    instances.update(cloud.installation, cloud.caller, instance_id, columns)
    view = cloud.show(instance_id)
    assert (view.row.name, view.row.access) == ("other", {"is_public": True})
    with cloud.database.session() as session:
        event = session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert event is not None
    assert (event.kind, event.payload) == ("instance.update", columns)


@pytest.mark.parametrize("name", ["", "---", "x" * 256])
def test_a_new_name_keeps_to_the_rule_of_orders(cloud: Cloud, name: str) -> None:
    instance_id = cloud.order()
    with pytest.raises(Invalid, match="name"):
        instances.update(cloud.installation, cloud.caller, instance_id, {"name": name})
    assert cloud.show(instance_id).row.name == "db"


def test_an_instance_does_not_become_too_small_for_its_engine(cloud: Cloud) -> None:
    instance_id = cloud.built()
    cloud.installation = replace(cloud.installation, catalog=Tiny())
    with pytest.raises(Invalid, match="flavorRef: PostgreSQL needs"):
        instances.resize_flavor(cloud.installation, cloud.caller, instance_id, "0")
    assert cloud.active() == []


def test_an_order_with_an_id_is_given_once(cloud: Cloud) -> None:
    first = cloud.order(id="6b3e9e5c-0000-4000-8000-000000000000", name="one")
    assert cloud.order(id=first, name="two") == first == "6b3e9e5c-0000-4000-8000-000000000000"
    assert cloud.show(first).row.name == "one"
    assert cloud.used()["instances"] == 1


def test_a_zone_that_there_is(cloud: Cloud) -> None:
    zone = cloud.provider.catalog.availability_zones()[0]
    assert cloud.show(cloud.order(availability_zone=zone)).row.availability_zone == zone


NOTHING: frozenset[Capability] = frozenset()


def test_what_the_provider_cannot_enforce_is_shown(cloud: Cloud) -> None:
    access = {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]}
    view = cloud.show(cloud.order(access=access))
    assert [limit.partition(":")[0] for limit in unenforced_of(view, NOTHING)] == [
        "access.allowed_cidrs"
    ]
    instances.update(cloud.installation, cloud.caller, view.row.id, {"access": {"is_public": True}})
    assert [
        limit.partition(":")[0] for limit in unenforced_of(cloud.show(view.row.id), NOTHING)
    ] == ["access.is_public"]
    assert unenforced_of(cloud.show(view.row.id), frozenset({Capability.PUBLIC_ADDRESS})) == []
    assert unenforced_of(cloud.show(cloud.order()), NOTHING) == []


def test_an_agent_without_a_word_yet(cloud: Cloud) -> None:
    instance_id = cloud.built()
    with cloud.database.begin() as session:
        session.get_one(Agent, instance_id).engine_state = None
    assert cloud.words(instance_id) == ("ACTIVE", "BUILD")


def report(cloud: Cloud, instance_id: str, **columns: Any) -> None:
    """Write what the agent of an instance has reported."""
    with cloud.database.begin() as session:
        agent = session.get_one(Agent, instance_id)
        for name, value in columns.items():
            setattr(agent, name, value)


def test_a_status_comes_with_its_reason(cloud: Cloud) -> None:
    instance_id = cloud.built()
    assert cloud.show(instance_id).fault is None
    report(cloud, instance_id, engine_state="failed", error="FATAL: pg_control is damaged")
    fault = cloud.show(instance_id).fault
    assert (fault.message, fault.details) == (
        "FATAL: pg_control is damaged",
        "the engine is failed",
    )
    with pytest.raises(NotReady, match="is failed: FATAL: pg_control is damaged"):
        accounts.list_users(cloud.installation, cloud.caller, instance_id, limit=1, marker=None)
    report(cloud, instance_id, engine_state="stopped", error=None)
    assert cloud.show(instance_id).fault is None
    with pytest.raises(NotReady, match=r"is stopped\.$"):
        accounts.list_users(cloud.installation, cloud.caller, instance_id, limit=1, marker=None)


def test_a_full_volume_is_named(cloud: Cloud) -> None:
    instance_id = cloud.built()
    report(cloud, instance_id, engine_state="running", volume_used=0.95, volume_total=0.96)
    assert cloud.words(instance_id) == ("ACTIVE", "BLOCKED")
    assert "resize the volume" in cloud.show(instance_id).fault.message
    # What makes room must not be refused.
    accounts.list_users(cloud.installation, cloud.caller, instance_id, limit=1, marker=None)
    report(cloud, instance_id, volume_total=2.0, error="MISCONF cannot save")
    assert cloud.words(instance_id) == ("ACTIVE", "BLOCKED")
    assert cloud.show(instance_id).fault.message == "MISCONF cannot save"
    report(cloud, instance_id, error=None)
    assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")
    assert cloud.show(instance_id).fault is None


def test_a_silent_agent_is_a_reason(cloud: Cloud) -> None:
    instance_id = cloud.built()
    cloud.clock.advance(3600)
    assert "the agent has not reported since" in cloud.show(instance_id).fault.message


def with_memory(cloud: Cloud, limit: int) -> None:
    cloud.installation = replace(cloud.installation, memory_limit=lambda: limit)


def test_an_order_beyond_the_machines_memory_is_refused_and_leaves_nothing(cloud: Cloud) -> None:
    with_memory(cloud, 1200)
    cloud.built()
    stopped = cloud.built()
    instances.stop(cloud.installation, cloud.caller, stopped)
    cloud.drain()
    before, used = rows(cloud), cloud.used()
    with pytest.raises(OverQuota, match="512 MB more are needed, and of 1200 MB .* 176 MB are"):
        cloud.order()
    assert (rows(cloud), cloud.used()) == (before, used)
    instances.delete(cloud.installation, cloud.caller, stopped)
    cloud.drain()
    assert cloud.words(cloud.built()) == ("ACTIVE", "HEALTHY")


def test_an_order_whose_creation_failed_has_no_memory(cloud: Cloud) -> None:
    with_memory(cloud, 512)
    cloud.agents.failures = {"prepare": TaskFailure("no")}
    assert cloud.words(cloud.built()) == ("ERROR", "")
    cloud.order()


def test_a_resize_beyond_the_machines_memory_is_refused(cloud: Cloud) -> None:
    with_memory(cloud, 1500)
    first, second = cloud.built(), cloud.built()
    with_memory(cloud, 1535)
    before, used = rows(cloud), cloud.used()
    with pytest.raises(OverQuota, match="512 MB more are needed, and of 1535 MB .* 511 MB are"):
        instances.resize_flavor(cloud.installation, cloud.caller, first, "3")
    assert (rows(cloud), cloud.used()) == (before, used)
    with_memory(cloud, 1536)
    instances.resize_flavor(cloud.installation, cloud.caller, first, "3")
    with pytest.raises(OverQuota, match=" 0 MB are left"):
        cloud.order()
    cloud.drain()
    # Smaller is always possible, and so is all that needs no more, however full the machine is.
    with_memory(cloud, 100)
    instances.resize_flavor(cloud.installation, cloud.caller, first, "1")
    instances.restart(cloud.installation, cloud.caller, second)
    cloud.drain()
    assert cloud.words(first) == cloud.words(second) == ("ACTIVE", "HEALTHY")


def test_an_order_with_a_locale_that_no_server_has_is_refused_at_once(cloud: Cloud) -> None:
    cloud.installation = replace(cloud.installation, locales=lambda: ["C", "sv_SE.utf8"])
    before = rows(cloud)
    with pytest.raises(Invalid, match=r"databases.collate: the locale 'fr_FR.UTF-8' is not"):
        cloud.order(databases=[DatabaseAccount("app", collate="fr_FR.UTF-8")])
    assert rows(cloud) == before
    instance_id = cloud.built(databases=[DatabaseAccount("app", collate="sv_SE.UTF-8")])
    with pytest.raises(Invalid, match=r"databases.collate: the locale 'fr_FR.UTF-8' is not"):
        accounts.create_databases(
            cloud.installation,
            cloud.caller,
            instance_id,
            [DatabaseAccount("more", collate="fr_FR.UTF-8")],
        )
