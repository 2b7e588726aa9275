"""Turns what users type, a name or an id, into an id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from trove.client.errors import Ambiguous, HttpError
from trove.client.session import Session
from trove.client.wire import Json

# With or without hyphens: services write their ids in both ways.
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
SINGULAR = {
    "instances": "instance",
    "backups": "backup",
    "configurations": "configuration group",
    "modules": "module",
    "flavors": "flavor",
    "datastores": "datastore",
    "operations": "operation",
}
# Members of clusters are not in the list without this.
QUERIES: dict[str, Json] = {"instances": {"include_clustered": "True"}}
# Services that do not know it list all, and the name is found as before.
FILTERED = frozenset({"instances"})
"""Collections whose ids are UUIDs, so that what is looked up can only be a name."""


def find_id(session: Session, collection: str, wanted: str) -> str:
    """The id of the one thing in `/collection` that has this id or this name.

    An id is not looked up. Raises HttpError 404 when there is none, Ambiguous when a
    name fits several.
    """
    if UUID.fullmatch(wanted):
        # Saves scripts, which mostly have ids, a request.
        return wanted
    query = QUERIES.get(collection, {}) | ({"name": wanted} if collection in FILTERED else {})
    return pick(session.pages(f"/{collection}", collection, **query), collection, wanted)


def pick(items: Iterable[Json], collection: str, wanted: str) -> str:
    """The same among these items."""
    named = []
    for item in items:
        # An id takes precedence over an equal name, wherever it is in the list.
        if wanted in (str(item.get("id")), item.get("str_id")):
            return id_of(item)
        if item.get("name") == wanted:
            named.append(item)
    if not named:
        what = SINGULAR[collection]
        raise HttpError(404, f"There is no {what} with the name or id '{wanted}'.")
    # Never the first of them: the next request may delete it.
    if len(named) > 1:
        raise Ambiguous(_candidates(named, collection, wanted))
    return id_of(named[0])


def id_of(item: Mapping[str, Any]) -> str:
    """A flavor may have its id only in `str_id`."""
    return str(item.get("str_id") or item["id"])


def _candidates(items: list[Json], collection: str, wanted: str) -> str:
    lines = [
        "  ".join(str(item[key]) for key in ("id", "status", "created") if item.get(key))
        for item in items
    ]
    listed = "\n  ".join(lines)
    return f"{len(items)} {collection} have the name '{wanted}'; give the id of one:\n  {listed}"
