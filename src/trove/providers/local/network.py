"""Addresses of this machine, out of a pool that belongs to this installation alone."""

from __future__ import annotations

import errno
import ipaddress
import zlib
from collections.abc import Iterator, Mapping, Sequence

from trove.errors import Failed, Invalid
from trove.providers.base import ANYWHERE, Scope
from trove.providers.local import ports
from trove.providers.local.layout import Layout, checked, named_lock
from trove.providers.local.reservations import Reservations

Pool = ipaddress.IPv4Network | ipaddress.IPv6Network


def pool_from(text: str) -> Pool:
    """Raises Invalid."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise Invalid(f"{error}.", field="address_pool") from None


def wanted_address(nics: Sequence[Mapping[str, str]], pool: Pool) -> str | None:
    """There is one network here, and nothing of it to choose but the address; raises Invalid."""
    if len(nics) > 1:
        raise Invalid(f"there is one network here; give 1 entry, not {len(nics)}", field="nics")
    given = {key: value for nic in nics for key, value in nic.items()}
    address = given.pop("ip_address", None)
    if given:
        message = f"there are no networks to choose from here; leave {', '.join(given)} out"
        raise Invalid(message, field="nics")
    if address and ipaddress.ip_address(address) not in pool:
        raise Invalid(f"{address} is not in the pool {pool}", field="nics.ip_address")
    if address and not is_for_servers(address, pool):
        message = f"{address} is a network's own or its broadcast address; choose another"
        raise Invalid(message, field="nics.ip_address")
    return address


def is_for_servers(address: str, pool: Pool) -> bool:
    """Whether it is neither a network's own nor a broadcast address, of the pool or of a /24 in it.

    A pool of less than four addresses has no such ones.
    """
    given = ipaddress.ip_address(address)
    reserved = {pool.network_address, pool.broadcast_address}
    return pool.num_addresses < 4 or (given not in reserved and given.packed[-1] not in {0, 255})


class LocalNetwork:
    """One loopback address for each server, so that every engine has its standard port."""

    def __init__(self, layout: Layout, pool: str) -> None:
        self._layout = layout
        self._taken = Reservations(layout.addresses)
        self._pool = pool_from(pool)

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        with named_lock(self._layout.locks, f"address.{checked(name)}"):
            # Links keep an address from two names; the lock keeps a name from two addresses.
            return self._taken.of(name) or self._reserve(name, port, nics)

    def delete_address(self, name: str) -> None:
        with named_lock(self._layout.locks, f"address.{checked(name)}"):
            self._taken.release(name)

    def names(self) -> Mapping[str, Scope]:
        return dict.fromkeys(self._taken.holders(), ANYWHERE)

    def _reserve(self, name: str, port: int, nics: Sequence[Mapping[str, str]]) -> str:
        """An address of the pool, or the requested one; raises Failed or Invalid."""
        wanted = wanted_address(nics, self._pool)
        for address in [wanted] if wanted else self._candidates(name):
            if self._is_free(address, port) and self._taken.take(address, name):
                return address
        if wanted:
            raise Failed(f"The address {wanted} is taken, or its port {port} is.")
        raise Failed(
            f"None of the addresses of {self._pool} has port {port} free: each belongs to an"
            " instance or to another program. Set address_pool to a larger one."
        )

    def _candidates(self, name: str) -> Iterator[str]:
        """Every address of the pool once, beginning where this name falls.

        So a released address is not at once given to another server.
        """
        size = self._pool.num_addresses
        first = zlib.crc32(name.encode())
        for number in range(size):
            address = str(self._pool[(first + number) % size])
            if is_for_servers(address, self._pool):
                yield address

    def _is_free(self, address: str, port: int) -> bool:
        try:
            ports.try_to_bind(address, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                self._refuse_wildcard(port)
                return False
            raise Failed(
                f"Port {port} of {address} cannot be used: {error.strerror}. Set address_pool to"
                f" addresses of this machine, for example in 127.0.0.0/8 (it is {self._pool})."
            ) from error
        return True

    def _refuse_wildcard(self, port: int) -> None:
        """A process that listens on every address leaves none for an instance."""
        holder = ports.holder_of_all(port)
        if holder is not None:
            raise Failed(
                f"Port {port} is taken on every address of this machine by {holder}."
                " Stop it, or let it listen on 127.0.0.1 only, and try again."
            )
