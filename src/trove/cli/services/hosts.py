"""The names and addresses by which callers may know this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from trove.processes import PROC

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LONGEST = 253
"""Characters of a name in the DNS, and so in a certificate."""


def hosts_of(bind_host: str, public_endpoint: str | None, proc: Path = PROC) -> list[str]:
    """Whatever may stand in the URL of a service that listens there, each once."""
    found = [*_of_machine(proc)] if bind_host in EVERYWHERE else [bind_host]
    if public_endpoint and (public := urlsplit(public_endpoint).hostname):
        found.append(public)
    # In order, each once.
    return list(dict.fromkeys(host for host in found if _is_valid(host)))


def _of_machine(proc: Path) -> Iterator[str]:
    name = socket.gethostname()
    yield from (*LOOPBACK, name, socket.getfqdn(name))
    with suppress(OSError):
        yield from _ipv4_addresses((proc / "net" / "fib_trie").read_text())
    with suppress(OSError):
        yield from _ipv6_addresses((proc / "net" / "if_inet6").read_text())


def _ipv4_addresses(trie: str) -> Iterator[str]:
    """The kernel's routing table has a line with each address, and below it what it is."""
    address = ""
    for words in map(str.split, trie.splitlines()):
        if words[:1] == ["|--"]:
            address = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"]:
            yield address


def _ipv6_addresses(table: str) -> Iterator[str]:
    for line in table.splitlines():
        address = ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
        # Of one link: no URL without a zone leads there.
        if not address.is_link_local:
            yield str(address)


def _is_valid(host: str) -> bool:
    return host.isascii() and 0 < len(host) <= LONGEST
