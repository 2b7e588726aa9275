"""The names and addresses by which callers may know this machine."""

from __future__ import annotations

import ipaddress
import itertools
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LONGEST = 253
"""Characters of a name in the DNS, and so in a certificate."""


def hosts_of(bind_host: str, public_endpoint: str | None) -> list[str]:
    """Whatever may stand in the URL of a service that listens there, each once."""
    found = [*_of_machine()] if bind_host in EVERYWHERE else [bind_host]
    if public_endpoint and (public := urlsplit(public_endpoint).hostname):
        found.append(public)
    # In order, each once.
    return list(dict.fromkeys(host for host in found if _is_valid(host)))


def _of_machine() -> Iterator[str]:
    name = socket.gethostname()
    yield from (*LOOPBACK, name, socket.getfqdn(name))
    for address in itertools.chain.from_iterable(psutil.net_if_addrs().values()):
        if address.family in {socket.AF_INET, socket.AF_INET6}:
            found = ipaddress.ip_address(address.address)
            # Of one link: no URL without a zone leads there.
            if not found.is_link_local:
                yield str(found)


def _is_valid(host: str) -> bool:
    return host.isascii() and 0 < len(host) <= LONGEST
