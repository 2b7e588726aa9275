"""A catalog that is remembered for a while: every request for an instance looks into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from trove.providers.base import Catalog, Flavor, Scope, VolumeType

T = TypeVar("T")

LONGEST_AGE = 60.0
"""Seconds after which what an infrastructure offers is read again."""

MOST_SCOPES = 1000
"""Of which what they are offered is remembered."""


class CachedCatalog:
    """What another catalog offered at most `LONGEST_AGE` ago."""

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._clock = clock
        self._known: dict[str, tuple[float, Any]] = {}
        self._within: dict[Scope, CachedCatalog] = {}

    def within(self, scope: Scope) -> CachedCatalog:
        if scope not in self._within:
            # Forgotten at times: there is no end to the projects of a large installation.
            if len(self._within) >= MOST_SCOPES:
                self._within.clear()
            self._within[scope] = CachedCatalog(self._catalog.within(scope), self._clock)
        return self._within[scope]

    def flavors(self) -> Sequence[Flavor]:
        return self._remembered("flavors", self._catalog.flavors)

    def volume_types(self) -> Sequence[VolumeType]:
        return self._remembered("volume types", self._catalog.volume_types)

    def availability_zones(self) -> Sequence[str]:
        return self._remembered("availability zones", self._catalog.availability_zones)

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> str | None:
        return self._catalog.check_nics(nics)

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        self._catalog.check_image(image, tags, programs)

    def _remembered(self, what: str, read: Callable[[], T]) -> T:
        now = self._clock()
        since, value = self._known.get(what, (float("-inf"), None))
        if now - since > LONGEST_AGE:
            # Several threads may read at once; each keeps what it has read itself.
            since, value = self._known[what] = now, read()
        known: T = value
        return known
