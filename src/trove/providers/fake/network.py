"""Addresses of 10.0.0.0/8 on which nothing listens."""

from __future__ import annotations

import ipaddress
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from trove.providers.base import Scope
from trove.providers.fake.world import FakeWorld

POOL = ipaddress.ip_network("10.0.0.0/8")


class FakeNetwork:
    """One address for each name, never two names on one address."""

    def __init__(self, world: FakeWorld, scope: Scope) -> None:
        self.world = world
        self.scope = scope

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        found = self.world.find("address", name=name)
        if found is not None:
            return found
        for number in itertools.count(zlib.crc32(name.encode())):
            address = str(POOL[number % POOL.num_addresses])
            record = {"name": name, "port": port} | asdict(self.scope)
            if self.world.create("address", address, record):
                return address
        raise AssertionError("unreachable")

    def names(self) -> Mapping[str, Scope]:
        return self.world.scopes("address")

    def delete_address(self, name: str) -> None:
        found = self.world.find("address", name=name)
        if found is not None:
            self.world.delete("address", found)
