"""Database engines: each folder is one, found by scanning this package.

Packages elsewhere add theirs through the entry-point group `trove.datastores`. A folder's
`__init__.py` has a MANIFEST and imports nothing heavy; `driver.py` has `create_driver(place)`,
`accounts.py` has `create_accounts(place)`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from functools import cache
from types import ModuleType

from trove.datastores.base import Manifest
from trove.errors import NotFound

ENTRY_POINTS = "trove.datastores"


@cache
def packages() -> dict[str, ModuleType]:
    """Every datastore package by its manager name; ours can not be replaced."""
    foreign = {e.name: e.load() for e in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    return foreign | _own_packages()


def manifest_of(manager: str) -> Manifest:
    """The manifest of a datastore; raises NotFound."""
    manifest: Manifest = _package_of(manager).MANIFEST
    return manifest


def part_of(manager: str, part: str) -> ModuleType:
    """One of the modules of a datastore, such as `driver` or `accounts`; raises NotFound."""
    return importlib.import_module(f"{_package_of(manager).__name__}.{part}")


def _package_of(manager: str) -> ModuleType:
    """Every agent asks for one: those of others, who are slow to find, only when it is not ours."""
    package = _own_packages().get(manager) or packages().get(manager)
    if package is None:
        known = ", ".join(sorted(packages()))
        raise NotFound(f"No datastore manager is called {manager!r}; there are: {known}.")
    return package


@cache
def _own_packages() -> dict[str, ModuleType]:
    return {
        info.name: importlib.import_module(f"{__name__}.{info.name}")
        for info in pkgutil.iter_modules(__path__)
        if info.ispkg
    }
