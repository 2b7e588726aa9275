"""Addresses of 10.0.0.0/8 on which nothing listens."""

from __future__ import annotations

import ipaddress
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from trove.providers.base import Scope
from trove.providers.fake.world import FakeWorld

POOL = ipaddress.ip_network("10.0.0.0/8")
COLLIDED = "collided"
"""Noted before a name gets another address than the first that it may have."""


class FakeNetwork:
    """One address for each name, never two names on one address."""

    def __init__(self, world: FakeWorld, scope: Scope) -> None:
        self.world = world
        self.scope = scope

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        found = self._find(name)
        if found is not None:
            return found
        record = {"name": name, "port": port} | asdict(self.scope)
        for address in _addresses_for(name):
            if self.world.create("address", address, record):
                return address
            self.world.note(COLLIDED)
        raise AssertionError("unreachable")

    def names(self) -> Mapping[str, Scope]:
        return self.world.scopes("address")

    def delete_address(self, name: str) -> None:
        found = self._find(name)
        if found is not None:
            self.world.delete("address", found)

    def _find(self, name: str) -> str | None:
        """Unless names have collided, it is the first that the name may have, or none."""
        first = next(_addresses_for(name))
        record = self.world.get("address", first)
        if record is not None and record["name"] == name:
            return first
        return self.world.find("address", name=name) if self.world.has_noted(COLLIDED) else None


def _addresses_for(name: str) -> Iterator[str]:
    """Those that it may have, the first free one of which it gets."""
    for number in itertools.count(zlib.crc32(name.encode())):
        yield str(POOL[number % POOL.num_addresses])
