"""Whether names are free or taken, for every engine in the same words."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trove.errors import AlreadyExists, NotFound


def check_absent(what: str, taken: Collection[str], names: Iterable[str]) -> None:
    """Raises AlreadyExists for the first name that is taken, or there twice."""
    seen: set[str] = set()
    for name in names:
        if name in taken or name in seen:
            raise AlreadyExists(f"{what} {name!r} exists already")
        seen.add(name)


def check_present(what: str, known: Collection[str], names: Iterable[str]) -> None:
    """Raises NotFound for the first name that is not known."""
    for name in names:
        if name not in known:
            raise NotFound(f"{what} {name!r} does not exist")
