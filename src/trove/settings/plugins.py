"""The groups of settings that providers bring, each a section of its own called as the provider is.

Law: a group is a frozen dataclass whose fields have defaults, described by docstrings as the groups
of `groups.py` are; what else holds for a field is said with `limited`.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from trove.entry_points import PROVIDERS, loaded

log = logging.getLogger(__name__)

OWN = "trove.providers"
"""The package that has our own."""
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


def _foreign() -> Iterator[tuple[str, Any]]:
    # One whose client library is not installed does not stop the services that use another.
    for name, plugin in loaded(PROVIDERS).items():
        if callable(getattr(plugin, "create", None)):
            yield name, plugin
        else:
            log.warning("the provider %s is left out: %r is no Plugin", name, plugin)


def _own() -> Iterator[tuple[str, Any]]:
    # By name: this package stands below the providers, and imports none of them by itself.
    for info in pkgutil.iter_modules(importlib.import_module(OWN).__path__):
        if info.ispkg:
            yield info.name, getattr(importlib.import_module(f"{OWN}.{info.name}"), OBJECT)
