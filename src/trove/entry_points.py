"""What packages elsewhere add through entry points.

Law: one that cannot be imported is logged by name and left out; it stops no process.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

DATASTORES = "trove.datastores"
PROVIDERS = "trove.providers"
TASKS = "trove.tasks"


def loaded(group: str) -> dict[str, Any]:
    """The objects of all entry points of this group, by name."""
    found = {}
    for entry in _entry_points(group):
        value, error = _attempt(entry)
        if error:
            log.warning("%s is left out: %s", described(entry), error)
        else:
            found[entry.name] = value
    return found


def failure_of(group: str, name: str) -> str:
    """Why the entry point of this name cannot be imported; empty if it can, or is not there."""
    attempts = (_attempt(entry) for entry in _entry_points(group) if entry.name == name)
    return next((error for _, error in attempts if error), "")


def described(entry: EntryPoint) -> str:
    """For messages: the entry point, and the distribution that has it."""
    package = entry.dist.name if entry.dist else "an unknown distribution"
    return f"the entry point {entry.name} = {entry.value} ({entry.group}) of {package}"


def _attempt(entry: EntryPoint) -> tuple[Any, str]:
    """The object, or what went wrong."""
    try:
        return entry.load(), ""
    # Whatever a module elsewhere does when it is imported.
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def sources(group: str, name: str | None = None) -> Iterator[Path]:
    """The directory, or the file, of each package that this group names; imports nothing.

    Of one entry point's alone if a `name` is given. A package that is installed as editable is
    elsewhere than the others.
    """
    for entry in _entry_points(group):
        if name in {None, entry.name}:
            yield from _source(entry.module.partition(".")[0])


def _entry_points(group: str) -> Iterable[EntryPoint]:
    # Every agent has its memory to itself, and seldom needs this.
    from importlib.metadata import entry_points  # noqa: PLC0415 - an entry point

    return entry_points(group=group)


def _source(package: str) -> Iterator[Path]:
    spec = None
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(package)
    if spec is None:
        return
    if spec.submodule_search_locations is not None:
        yield from map(Path, spec.submodule_search_locations)
    elif spec.has_location and spec.origin:
        yield Path(spec.origin)
