"""Finds the setting that a section and a name mean, or says what to do with the line."""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from trove.entry_points import DATASTORES
from trove.settings.ini import Entry
from trove.settings.obsolete import (
    OBSOLETE,
    OBSOLETE_OF_ENGINES,
    OBSOLETE_SECTIONS,
    obsolete_note,
)
from trove.settings.options import (
    ALIASES,
    ENGINE_OPTIONS,
    ENGINE_SECTIONS,
    PASSED_ON,
    Option,
    options,
)


@dataclass(frozen=True)
class Target:
    """Where a line's value goes, if anywhere."""

    path: tuple[str, ...] = ()
    option: Option | None = None
    """None for values that are kept as they are written."""
    warning: str | None = None


def target_of(entry: Entry) -> Target:
    """What this line sets; never an error, for an unknown line must not stop a service."""
    where = (entry.section, entry.name)
    if where in ALIASES:
        section, name = ALIASES[where]
        newer = options()[section, name]
        return Target(newer.path, newer, f"{entry.place} is now [{section}] {name}")
    if option := options().get(where):
        return Target(option.path, option)
    if entry.section in PASSED_ON:
        return Target((entry.section, entry.name))
    if entry.section in _engines():
        # What has no effect is warned of, and handed on to no one.
        warning = _engine_warning(entry)
        return Target(() if warning else ("datastores", *where), warning=warning)
    return Target(warning=_warning(entry))


@cache
def _engines() -> frozenset[str]:
    """Sections of datastores: the well-known ones, and those of installed packages."""
    return frozenset(ENGINE_SECTIONS) | _installed_engines()


@cache
def _installed_engines() -> frozenset[str]:
    # A package for an engine brings its section with it, and it need not be named here.
    installed = importlib.metadata.entry_points(group=DATASTORES)
    return frozenset(entry.name for entry in installed)


def _engine_warning(entry: Entry) -> str | None:
    # What an installed package takes is its own to know: only the well-known engines' are checked.
    if entry.name in ENGINE_OPTIONS or entry.section in _installed_engines():
        return None
    if note := OBSOLETE_OF_ENGINES.get(entry.name):
        return f"{entry.place} has no effect: {note}"
    known = {*ENGINE_OPTIONS, *OBSOLETE_OF_ENGINES}
    return f"{entry.place} is not known{_hint(entry.name, known)}"


def _warning(entry: Entry) -> str:
    if note := obsolete_note(entry.section, entry.name):
        return f"{entry.place} has no effect: {note}"
    sections = {section for section, _ in options()} | _engines() | {*PASSED_ON}
    if entry.section not in sections:
        known = sections | set(OBSOLETE_SECTIONS)
        return f"{entry.place}: there is no section of this name{_hint(entry.section, known)}"
    # The likeliest mistake: the right name in the wrong section.
    if elsewhere := [section for section, name in options() if name == entry.name]:
        return f"{entry.place} is not known; it belongs into [{elsewhere[0]}]"
    names = [name for section, name in options() if section == entry.section]
    # A misspelt old option must lead to the note about it, not to some new one.
    names += list(OBSOLETE) if entry.section == "DEFAULT" else []
    return f"{entry.place} is not known{_hint(entry.name, names)}"


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
