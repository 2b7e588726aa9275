"""Database engines: each folder with a DATASTORE is one, found by scanning this package.

Packages elsewhere add theirs through the entry-point group `trove.datastores`, each entry naming
such an object. A folder's `__init__.py` imports nothing heavy: both sides read it.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterator
from functools import cache

from trove.datastores.base import Manifest
from trove.datastores.parts import Datastore
from trove.entry_points import DATASTORES, failure_of, loaded
from trove.errors import NotFound

log = logging.getLogger(__name__)


@cache
def datastores() -> dict[str, Datastore]:
    """Every datastore by its manager name; those of this package cannot be replaced."""
    return dict(_foreign_datastores()) | _own_datastores()


def datastore_of(manager: str) -> Datastore:
    """Raises NotFound."""
    # Every agent needs one, and pays for what is imported: packages elsewhere are searched, and the
    # other folders read, only if it has none of its own.
    found = _own_datastore(manager) or datastores().get(manager)
    if found is None:
        if failure := failure_of(DATASTORES, manager):
            raise NotFound(f"The package of the datastore {manager} cannot be used: {failure}")
        known = ", ".join(sorted(datastores()))
        raise NotFound(f"No datastore manager is called {manager!r}; there are: {known}.")
    return found


def manifest_of(manager: str) -> Manifest:
    """The manifest of a datastore; raises NotFound."""
    return datastore_of(manager).manifest


def _foreign_datastores() -> Iterator[tuple[str, Datastore]]:
    for name, found in loaded(DATASTORES).items():
        if not isinstance(found, Datastore):
            log.warning("the datastore %s is left out: %r is no Datastore", name, found)
        elif found.manifest.manager != name:
            named = found.manifest.manager
            log.warning("the datastore %s is left out: its manifest is that of %r", name, named)
        else:
            yield name, found


@cache
def _own_datastores() -> dict[str, Datastore]:
    """Folders without one, such as the shared ground of related engines, are passed over."""
    found = {name: _own_datastore(name) for name in _folders()}
    return {name: datastore for name, datastore in found.items() if datastore is not None}


def _own_datastore(manager: str) -> Datastore | None:
    if manager not in _folders():
        return None
    module = importlib.import_module(f"{__name__}.{manager}")
    found: Datastore | None = getattr(module, "DATASTORE", None)
    return found


@cache
def _folders() -> tuple[str, ...]:
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg))
