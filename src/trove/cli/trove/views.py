"""The objects of the service as people read them, one value per line."""

from __future__ import annotations

from trove.cli.trove.output import Item, flattened, pairs_of, value_at
from trove.client.wire import Json


def instance_lines(instance: Item) -> Json:
    """The properties that `trove show` has always had, then newer ones."""
    renamed = {
        "datastore": value_at(instance, "datastore.type"),
        "datastore_version": value_at(instance, "datastore.version"),
        "volume": value_at(instance, "volume.size"),
        "volume_used": value_at(instance, "volume.used"),
        "addresses": _addresses(instance),
        "replicas": [replica["id"] for replica in instance.get("replicas", ())],
        "fault": value_at(instance, "fault.message"),
        "fault_date": value_at(instance, "fault.created"),
        "fault_details": value_at(instance, "fault.details"),
    }
    rest = {name: value for name, value in instance.items() if name not in COMPOUND}
    lines = flattened(rest) | {name: value for name, value in renamed.items() if value}
    # The most used properties first; the rest in alphabetical order.
    first = {name: lines[name] for name in ORDER if name in lines}
    return first | dict(sorted(lines.items()))


COMPOUND = ("datastore", "volume", "addresses", "replicas", "fault", "ip")
ORDER = ("id", "name", "status", "operating_status", "datastore", "datastore_version", "flavor")


def _addresses(instance: Item) -> list[str]:
    addresses = instance.get("addresses") or ()
    return [f"{each['address']} ({each.get('type', 'private')})" for each in addresses] or list(
        instance.get("ip") or ()
    )


def operation_lines(operation: Item) -> Json:
    """With one line for each step at the end."""
    lines = dict(flattened(operation))
    for number, step in enumerate(lines.pop("steps", None) or (), start=1):
        if isinstance(step, str):
            lines[f"step {number}"] = step
        else:
            lines[f"step {number}"] = f"{step['name']} ({step.get('state', '')})"
    return lines


def datastore_lines(datastore: Item) -> Json:
    """The versions by name, and which is the default."""
    lines = {**flattened(datastore), "versions (name)": version_names(datastore)}
    del lines["versions"]
    default = datastore.get("default_version")
    name = default_version_of(datastore)
    return lines | ({"default_version": f"{name} ({default})" if name else default})


def version_names(datastore: Item) -> list[str]:
    return [version["name"] for version in datastore.get("versions") or ()]


def default_version_of(datastore: Item) -> str | None:
    """The name of the version that is used when none is given."""
    default = datastore.get("default_version")
    names = {version.get("id"): version["name"] for version in datastore.get("versions") or ()}
    return names.get(default)


def default_mark(datastore: Item) -> str:
    """Marks the datastore that is created when an order names none."""
    return "yes" if datastore.get("default") else ""


def details_of(event: Item) -> str:
    """`name=pg, users=joe`"""
    return pairs_of(event.get("payload") or {})
