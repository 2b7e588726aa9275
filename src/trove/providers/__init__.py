"""Infrastructures: each folder with a PROVIDER is one, found by scanning this package.

Packages elsewhere add theirs through the entry-point group `trove.providers`, each entry naming
such an object. A folder imports its infrastructure's client library when it is first used.
"""

from __future__ import annotations

from dataclasses import replace

from trove.errors import Invalid
from trove.providers.base import Plugin, Provider
from trove.providers.catalog import CachedCatalog
from trove.settings import Settings
from trove.settings.plugins import plugins


def names() -> list[str]:
    """Every provider that there is."""
    return sorted(plugins())


def create(settings: Settings) -> Provider:
    """The provider that the settings name; raises Invalid."""
    name = settings.provider
    plugin: Plugin | None = plugins().get(name)
    if plugin is None:
        message = f"no provider is called {name!r}; there are: {', '.join(names())}."
        raise Invalid(message, field="provider")
    provider = plugin.create(settings)
    return replace(provider, catalog=CachedCatalog(provider.catalog))
