"""Datastores, their versions, flavors and volume types as the wire shows them."""

from __future__ import annotations

from typing import Any

from trove.api.call import Call
from trove.models.datastore import DatastoreVersion
from trove.providers.base import Flavor, VolumeType
from trove.services.datastores import DatastoreView


def datastore(call: Call, view: DatastoreView) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": view.row.id,
        "name": view.row.name,
        "links": call.links("datastores", view.row.id),
        "versions": [version(call, each) for each in view.versions],
    }
    # `openstack datastore show` looks this id up among `versions` and breaks if it is not there, so
    # without a default the key must be missing, not null.
    if view.default_version is not None:
        shown["default_version"] = view.default_version
    return shown


def version(call: Call, row: DatastoreVersion) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "version": row.number,
        "links": call.links(f"datastores/{row.datastore_id}/versions", row.id),
        "datastore": row.datastore_id,
    }
    if call.caller.is_admin:
        shown |= _operators_part(row)
    return shown


def managed_version(row: DatastoreVersion) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "version": row.number,
        "datastore_id": row.datastore_id,
        "datastore_name": row.datastore.name,
        "datastore_manager": row.manager,
        "default": row.datastore.default_version_id == row.id,
        **_operators_part(row),
    }


def flavor(call: Call, each: Flavor) -> dict[str, Any]:
    return {
        # gophercloud takes a number or null and then reads str_id; so does python-troveclient.
        "id": int(each.id) if each.id.isdecimal() and each.id.isascii() else None,
        "str_id": each.id,
        "name": each.name,
        "ram": each.memory,
        "vcpus": each.vcpus,
        "disk": each.disk,
        "ephemeral": each.ephemeral,
        "links": call.links("flavors", each.id),
    }


def volume_type(each: VolumeType) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "is_public": each.is_public,
        "description": each.description,
    }


def _operators_part(row: DatastoreVersion) -> dict[str, Any]:
    return {
        "active": row.active,
        "packages": row.packages,
        "image": row.image,
        "image_tags": row.image_tags,
        "registry_ext": row.registry_ext,
        "repl_strategy": row.repl_strategy,
    }
