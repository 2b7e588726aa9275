"""Instances as the wire shows them: in brief, in detail, and to administrators."""

from __future__ import annotations

from typing import Any

from trove.api.call import Call
from trove.api.views.moments import maybe, moment
from trove.services.instance_view import InstanceView, unenforced_of


def brief(call: Call, view: InstanceView) -> dict[str, Any]:
    """One row of a list."""
    access = view.access
    shown: dict[str, Any] = {
        "id": view.id,
        "name": view.name,
        "status": view.status,
        "operating_status": view.operating_status,
        "links": call.links("instances", view.id),
        # A string even where it is a number: gophercloud reads nothing else here.
        "flavor": {"id": view.flavor_id, "links": call.links("flavors", view.flavor_id)},
        "datastore": {"type": view.datastore, "version": view.datastore_version},
        "region": view.region,
        "access": {
            "is_public": access.get("is_public", False),
            "allowed_cidrs": access.get("allowed_cidrs", []),
        },
        "volume": {"size": view.volume_size},
    }
    # Missing, not null, while there is none: gophercloud and terraform read lists.
    if view.address is not None:
        kind = "public" if access.get("is_public") else "private"
        # Older clients and gophercloud read `ip`; what is newer reads `addresses` and its type.
        shown["ip"] = [view.address]
        shown["addresses"] = [{"address": view.address, "type": kind}]
    if view.replica_of is not None:
        shown["replica_of"] = _ref(call, view.replica_of)
    if view.replicas:
        shown["replicas"] = [_ref(call, replica) for replica in view.replicas]
    # The wire's older word for the project; to its owner the path has told it.
    if call.caller.is_admin:
        shown["tenant_id"] = view.project_id
    return shown


def detail(call: Call, view: InstanceView) -> dict[str, Any]:
    """All that the owner may know."""
    shown = brief(call, view)
    shown["datastore"] |= {
        "version_number": view.datastore_version_number,
        "version_id": view.datastore_version_id,
    }
    shown |= {
        "created": moment(view.created),
        "updated": moment(view.updated),
        "service_status_updated": maybe(view.reported_at),
        "port": view.port,
        "unenforced": unenforced_of(view),
        "operation_id": view.operation_id,
    }
    if view.volume_used is not None:
        # Missing until an agent has told it, for 0 would be read as empty.
        shown["volume"]["used"] = round(view.volume_used, 3)
        shown["volume"]["used_percent"] = round(100 * view.volume_used / view.volume_size, 1)
    if view.locality is not None:
        shown["locality"] = view.locality
    if view.availability_zone is not None:
        shown["availability_zone"] = view.availability_zone
    if view.fault is not None:
        shown["fault"] = _fault(call, view.fault)
    if call.caller.is_admin:
        shown |= {
            "server_id": view.server_id,
            "volume_id": view.volume_id,
            "encrypted_rpc_messaging": True,
        }
    return shown


def managed(call: Call, view: InstanceView) -> dict[str, Any]:
    """What only administrators see."""
    shown = detail(call, view)
    server = view.server_id and {
        "id": view.server_id,
        "name": f"trove-{view.id}",
        "status": view.status,
        "tenant_id": view.project_id,
    }
    return shown | {
        "server": server or None,
        "service_status": view.operating_status,
        "guest_status": {"state_description": view.operating_status},
        "task_description": view.status,
        "deleted": view.deleted_at is not None,
        "deleted_at": maybe(view.deleted_at),
        "root_enabled": maybe(view.root_enabled_at),
        "root_enabled_by": view.root_enabled_by,
    }


def _ref(call: Call, instance_id: str) -> dict[str, Any]:
    return {"id": instance_id, "links": call.links("instances", instance_id)}


def _fault(call: Call, fault: dict[str, Any]) -> dict[str, Any]:
    return {
        "message": fault["message"],
        "created": moment(fault["created"]),
        # Traces and paths of this installation are for operators.
        "details": fault["details"] if call.caller.is_admin else None,
    }
