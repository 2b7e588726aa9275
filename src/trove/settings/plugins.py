"""The groups of settings that providers bring, each a section of its own called as the provider is.

Law: a group is a frozen dataclass whose fields have defaults, described by docstrings as the groups
of `groups.py` are; what else holds for a field is said with `limited`.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import logging
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

log = logging.getLogger(__name__)

ENTRY_POINTS = "trove.providers"
"""The entry points of packages elsewhere, and the package that has our own."""
OBJECT = "PROVIDER"
"""What a package that is a provider has in its `__init__.py`."""


def limited(
    default: Any, *, choices: tuple[str, ...] = (), limits: tuple[float, float] | None = None
) -> Any:
    """A field of a group that takes one of these words, or a number from and to these."""
    return dataclasses.field(default=default, metadata={"choices": choices, "limits": limits})


@cache
def plugins() -> Mapping[str, Any]:
    """Every provider by its name; those of this package cannot be replaced."""
    return dict(_foreign()) | dict(_own())


def provider_groups() -> dict[str, type]:
    """By section, the groups of all providers that have settings of their own."""
    found = {name: plugin.settings for name, plugin in plugins().items()}
    return {name: group for name, group in found.items() if group is not None}


def _own() -> Iterator[tuple[str, Any]]:
    # By name: this package stands below the providers, and imports none of them by itself.
    for info in pkgutil.iter_modules(importlib.import_module(ENTRY_POINTS).__path__):
        if info.ispkg:
            yield info.name, getattr(importlib.import_module(f"{ENTRY_POINTS}.{info.name}"), OBJECT)


def _foreign() -> Iterator[tuple[str, Any]]:
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            yield entry.name, entry.load()
        # One whose client library is not installed must not stop the services that use another.
        except (ImportError, AttributeError) as error:
            log.warning("the provider %s cannot be used: %s", entry.name, error)
