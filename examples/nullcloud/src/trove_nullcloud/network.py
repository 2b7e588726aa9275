"""Addresses of TEST-NET-3 (RFC 5737), at which nothing answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from trove.errors import Failed
from trove.providers.base import ANYWHERE, Scope

POOL = ipaddress.ip_network("203.0.113.0/24")


class NullNetwork:
    """The first free address for each name."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        if name not in self._addresses:
            taken = set(self._addresses.values())
            free = next((str(each) for each in POOL.hosts() if str(each) not in taken), None)
            if free is None:
                raise Failed(f"Every address of {POOL} is taken.")
            self._addresses[name] = free
        return self._addresses[name]

    def names(self) -> Mapping[str, Scope]:
        return dict.fromkeys(self._addresses, ANYWHERE)

    def delete_address(self, name: str) -> None:
        self._addresses.pop(name, None)
