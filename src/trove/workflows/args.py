"""What operations are started with: one struct for each workflow that takes arguments.

Law: these are stored in rows. A field added later has a default, and none changes its meaning.
"""

from __future__ import annotations

import msgspec


class Reservation(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operation that uses quota from its start; it is given back unless it succeeds."""

    reserved: dict[str, int] = {}
    """By resource."""


class FlavorResize(Reservation, frozen=True, omit_defaults=True, kw_only=True):
    """`instance.resize_flavor`: the new flavor."""

    flavor_id: str
    memory: int
    """MiB."""
    vcpus: int


class VolumeResize(Reservation, frozen=True, omit_defaults=True, kw_only=True):
    """`instance.resize_volume`: the new size."""

    size: int
    """GiB."""


class Recovery(msgspec.Struct, frozen=True):
    """`instance.recover`: the how manieth attempt in a row."""

    times: int = 1
