"""Instances: create, show, list, change, delete.

A change is refused while another operation has claimed the instance; deletion never is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from trove.datastores import manifest_of
from trove.db import Instant, is_conflict, new_id
from trove.engine import holders_of
from trove.errors import Forbidden, Invalid, NotFound, ResourceBusy
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.models.memory import must_fit
from trove.models.quota import take
from trove.services.account_rules import check_locales, rules_of
from trove.services.changes import begin, changing, find, give_up, not_found, note
from trove.services.installation import Caller, Installation
from trove.services.instance_order import (
    InstanceOrder,
    check_flavor,
    check_instance_name,
    check_order,
    check_volume_size,
)
from trove.services.instance_view import (
    INSTANCES,
    InstanceView,
    instances_where,
    view_of,
    views_of,
    with_details,
)
from trove.services.paging import Page, is_before, page_of, size_of
from trove.services.placement import place
from trove.services.selection import choose_flavor, choose_region, choose_version
from trove.workflows import REMOVING
from trove.workflows.args import FlavorResize, VolumeResize

ATTEMPTS = 8
"""How often a deletion is tried while other operations start or end at the same time."""


def create(inst: Installation, caller: Caller, order: InstanceOrder) -> InstanceView:
    """Create an instance; it is being built when this returns.

    Raises Invalid naming the field, NotFound, OverQuota.
    """
    with inst.database.begin() as session:
        if order.id and session.get(Instance, order.id) is not None:
            return view_of(inst, session, order.id)
        version = choose_version(session, inst.settings, order.datastore, order.datastore_version)
        flavor = choose_flavor(inst.catalog_for(caller), order.flavor_id)
        placement = place(inst, caller, session, order)
        check_order(inst.settings, order, version, flavor)
        check_locales(manifest_of(version.manager), order.databases, inst.locales())
        size = order.volume_size or 0
        used = {"instances": 1, "ram": flavor.memory, "volumes": size}
        row = Instance(
            id=order.id or new_id(),
            project_id=caller.project_id,
            name=order.name,
            datastore_version_id=version.id,
            flavor_id=flavor.id,
            memory=flavor.memory,
            vcpus=flavor.vcpus,
            volume_size=size,
            volume_type=placement.volume_type,
            availability_zone=placement.zone,
            region=choose_region(inst.settings, order.region),
            nics=placement.nics,
            ignored=placement.ignored,
            access=order.access or {"is_public": False},
            created_at=inst.clock.now(session),
            **order.plain,
        )
        session.add(row)
        session.flush()
        sealed = inst.vault.seal(order.secrets())
        begin(inst, caller, session, row, "instance.create", sealed=sealed)
        take(session, caller.project_id, used, inst.settings.limits.quotas)
        must_fit(session, flavor.memory, inst.memory_limit())
        session.flush()
        return view_of(inst, session, row.id)


def show(
    inst: Installation, caller: Caller, instance_id: str, *, deleted: bool = False
) -> InstanceView:
    """One instance of the caller's project; an administrator sees every project's.

    With `deleted`, also one that has been deleted.
    """
    values = {"id": instance_id, "project": caller.project_id}
    with inst.database.engine.connect() as connection:
        rows = connection.execute(_one_query(not caller.is_admin, deleted), values).all()
    if not rows:
        raise not_found(instance_id)
    return views_of(inst, rows)[0]


def list_page(  # noqa: PLR0913 - the filters of the wire
    inst: Installation,
    caller: Caller,
    *,
    limit: int,
    marker: str | None = None,
    all_projects: bool = False,
    project_id: str | None = None,
    deleted: bool = False,
    name: str | None = None,
) -> Page[InstanceView]:
    """Instances, newest first; `name` is a whole one.

    `marker` is the id of the last one of the page before.
    """
    project = project_id if all_projects else caller.project_id
    values = {"project": project, "name": name, "size": limit + 1}
    with inst.database.engine.connect() as connection:
        if marker is not None:
            values |= _after(connection, marker, project)
        given = project is not None, marker is not None, deleted, name is not None
        chosen = _page_query(*given, inst.database.orders_by_null)
        rows = connection.execute(chosen, values).all()
    return page_of(views_of(inst, rows), limit, lambda view: view.row.id)


def update(inst: Installation, caller: Caller, instance_id: str, columns: dict[str, Any]) -> None:
    """Write these columns; raises NotFound, and Invalid for a name that `create` refuses."""
    if "name" in columns:
        check_instance_name(columns["name"])
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        for name, value in columns.items():
            setattr(row, name, value)
        if columns:
            note(caller, session, row, "instance.update", **columns)


def delete(inst: Installation, caller: Caller, instance_id: str) -> str:
    """Delete at any time, whatever else is running; succeeds if it is being deleted already."""
    return _delete(inst, caller, instance_id, attempts=ATTEMPTS)


def reset_status(inst: Installation, caller: Caller, instance_id: str) -> None:
    """Supersede the active operations and clear the fault: the status is what the agent reports."""
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        for active in holders_of(session, row.id):
            give_up(inst, session, active)
        row.last_operation_id = None
        note(caller, session, row, "instance.reset_status")


def force_delete(inst: Installation, caller: Caller, instance_id: str) -> str:
    """Deletion never waits, so there is nothing to force; kept for old clients."""
    return delete(inst, caller, instance_id)


def restart(inst: Installation, caller: Caller, instance_id: str) -> str:
    """Stop and start the engine."""
    with changing(inst, caller, instance_id, "instance.restart") as change:
        return change.operation.id


def stop(inst: Installation, caller: Caller, instance_id: str) -> str:
    """Stop the engine, and keep it stopped until a restart."""
    with changing(inst, caller, instance_id, "instance.stop") as change:
        return change.operation.id


def reboot(inst: Installation, caller: Caller, instance_id: str) -> str:
    """Stop and start the server with all that is in it."""
    with changing(inst, caller, instance_id, "instance.reboot", silent=True) as change:
        return change.operation.id


def resize_flavor(inst: Installation, caller: Caller, instance_id: str, flavor_id: str) -> str:
    """Give the instance another flavor; its engine restarts. Raises OverQuota."""
    flavor = choose_flavor(inst.catalog_for(caller), flavor_id)
    with changing(inst, caller, instance_id, "instance.resize_flavor") as change:
        session, row = change.session, change.row
        if flavor.id == row.flavor_id:
            raise Invalid(f"the instance has flavor {flavor.id} already", field="flavorRef")
        version = session.get_one(DatastoreVersion, row.datastore_version_id)
        check_flavor(rules_of(inst.settings, version.manager), flavor)
        more = {"ram": max(flavor.memory - row.memory, 0)}
        take(session, row.project_id, more, inst.settings.limits.quotas)
        change.takes(
            FlavorResize(
                flavor_id=flavor.id, memory=flavor.memory, vcpus=flavor.vcpus, reserved=more
            )
        )
        must_fit(session, more["ram"], inst.memory_limit())
        return change.operation.id


def resize_volume(inst: Installation, caller: Caller, instance_id: str, size: int) -> str:
    """Grow the data volume to this many GiB while the engine runs."""
    with changing(inst, caller, instance_id, "instance.resize_volume") as change:
        session, row = change.session, change.row
        if size <= row.volume_size:
            raise Invalid(
                f"the volume has {row.volume_size} GB and can only grow; {size} requested",
                field="volume.size",
            )
        check_volume_size(inst.settings, size)
        more = {"volumes": size - row.volume_size}
        take(session, row.project_id, more, inst.settings.limits.quotas)
        change.takes(VolumeResize(size=size, reserved=more))
        return change.operation.id


def _delete(inst: Installation, caller: Caller, instance_id: str, *, attempts: int) -> str:
    try:
        return _begin_deletion(inst, caller, instance_id)
    except (DBAPIError, ResourceBusy) as error:
        if attempts == 1 or (isinstance(error, DBAPIError) and not is_conflict(error)):
            raise
        # Another operation started, or the instance was deleted, since it was read.
        return _delete(inst, caller, instance_id, attempts=attempts - 1)


def _begin_deletion(inst: Installation, caller: Caller, instance_id: str) -> str:
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        _must_not_have_replicas(session, row)
        holders = holders_of(session, row.id)
        removing = next((each for each in holders if each.workflow in REMOVING), None)
        if removing is not None:
            return removing.id
        for active in holders:
            give_up(inst, session, active)
        return begin(inst, caller, session, row, "instance.delete").id


@cache
def _one_query(of_project: bool, deleted: bool) -> Select[Any]:
    chosen = instances_where(INSTANCES.id == bindparam("id"))
    if of_project:
        chosen = chosen.where(INSTANCES.project_id == bindparam("project"))
    return with_details(chosen if deleted else chosen.where(INSTANCES.deleted_at.is_(None)))


@cache
def _page_query(
    of_project: bool, after: bool, deleted: bool, named: bool, by_null: bool
) -> Select[Any]:
    """Built once: building a statement takes longer than executing it."""
    chosen = instances_where(
        INSTANCES.deleted_at.is_not(None) if deleted else INSTANCES.deleted_at.is_(None)
    )
    if of_project:
        chosen = chosen.where(INSTANCES.project_id == bindparam("project"))
    if named:
        chosen = chosen.where(INSTANCES.name == bindparam("name"))
    if after:
        last = bindparam("created", type_=Instant)
        chosen = chosen.where(is_before(INSTANCES, last, bindparam("marker")))
    order = [INSTANCES.created_at.desc(), INSTANCES.id.desc()]
    if by_null and not deleted:
        order.insert(0, INSTANCES.deleted_at.desc())
    return with_details(chosen.order_by(*order).limit(size_of(0)))


def _after(connection: Connection, marker: str, project: str | None) -> dict[str, Any]:
    """The parameters of `_page_query` for the last instance of the page before."""
    last = select(INSTANCES.created_at).where(INSTANCES.id == marker)
    # Otherwise a marker would reveal whether another project has an instance with this id.
    if project is not None:
        last = last.where(INSTANCES.project_id == project)
    created = connection.execute(last).scalar_one_or_none()
    if created is None:
        raise NotFound(f"marker: no instance has the id {marker!r}.")
    return {"created": created, "marker": marker}


def _must_not_have_replicas(session: Session, row: Instance) -> None:
    replicas = select(Instance.id).where(
        Instance.replica_of == row.id, Instance.deleted_at.is_(None)
    )
    if session.execute(replicas).first():
        raise Forbidden(f"Instance {row.id} has replicas; delete or detach them first.")
