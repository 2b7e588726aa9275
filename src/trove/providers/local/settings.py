"""The section [local]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trove.settings import Settings
from trove.settings.plugins import limited

NAME = "local"


@dataclass(frozen=True)
class LocalSettings:
    """The local provider: instances on this machine."""

    directory: Path | None = None
    """Where instances live."""
    # Linux answers on all of 127.0.0.0/8 without an address being set up.
    address_pool: str = "127.77.0.0/16"
    """Loopback addresses, of which each instance gets one."""
    # Below 1000 are the system's own users, whose files an engine must not own.
    first_uid: int | None = limited(None, limits=(1000, 2**31))
    """Each instance gets a user and group id of its own, counted from here (as root only); by
    default from 210000, or above the ids that /etc/subuid and /etc/subgid give to users."""
    isolation: str = limited("auto", choices=("auto", "none"))
    """How instances are kept apart; with `none` they are plain processes."""
    # Caches of engines take a quarter to six tenths of their memory, and a small machine, such as a
    # laptop or a CI runner, still has room for many small instances.
    memory_overcommit: float = limited(2.0, limits=(0.1, 1000.0))
    """The memory of all instances together may be as many times the machine's; what would exceed
    it is refused when it is ordered. 1 never promises more than there is; 2, since engines keep a
    quarter to six tenths of their memory in caches, has room for 16 instances of 512 MiB on a
    machine of 4 GiB. What is there already runs on, however low this is set."""
    flavors: tuple[str, ...] = ()
    """`id:name:memory MiB:vcpus` each; a useful list by default."""


def local_settings(settings: Settings) -> LocalSettings:
    """What the section says."""
    return settings.provider_group(NAME, LocalSettings)


def directory_of(settings: Settings) -> Path:
    """Where instances live; by default below the state directory."""
    return local_settings(settings).directory or settings.state_directory / NAME
