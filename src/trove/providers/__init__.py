"""Infrastructures: each folder is one, found by scanning this package.

Packages elsewhere add theirs through the entry-point group `trove.providers`. A folder's
`__init__.py` has `create_provider(settings)`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from dataclasses import replace
from functools import cache

from trove.errors import Invalid
from trove.providers.base import Provider
from trove.providers.catalog import CachedCatalog
from trove.settings import Settings

ENTRY_POINTS = "trove.providers"


def names() -> list[str]:
    """Every provider that there is."""
    return sorted(_own() | set(_foreign()))


def create(settings: Settings) -> Provider:
    """The provider that the settings name; raises Invalid."""
    name = settings.provider
    if name not in names():
        message = f"no provider is called {name!r}; there are: {', '.join(names())}."
        raise Invalid(message, field="provider")
    # A package from elsewhere cannot replace one of ours.
    foreign = None if name in _own() else _foreign().get(name)
    package = foreign.load() if foreign else importlib.import_module(f"{__name__}.{name}")
    provider: Provider = package.create_provider(settings)
    return replace(provider, catalog=CachedCatalog(provider.catalog))


# By name alone: an infrastructure's client library need not be installed for the others.
def _own() -> set[str]:
    return {info.name for info in pkgutil.iter_modules(__path__) if info.ispkg}


@cache
def _foreign() -> dict[str, importlib.metadata.EntryPoint]:
    return {e.name: e for e in importlib.metadata.entry_points(group=ENTRY_POINTS)}
