"""What this machine offers: a list of flavors, one zone, one kind of volume, its engines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from trove.errors import Invalid
from trove.providers.base import Catalog, Flavor, Scope, VolumeType
from trove.providers.local.network import pool_from, wanted_address
from trove.providers.local.settings import LocalSettings

FLAVORS = (
    "1:db.tiny:256:1",
    "2:db.small:512:1",
    "3:db.medium:1024:1",
    "4:db.large:2048:2",
    "5:db.xlarge:4096:2",
    "6:db.2xlarge:8192:4",
    "7:db.4xlarge:16384:8",
)
ZONE = "local"
VOLUME_TYPE = VolumeType("local", "local", "A file system of its own on this machine")


class LocalCatalog:
    """The flavors of the settings, `id:name:memory MiB:vcpus` each, or a useful list; addresses
    of the pool."""

    def __init__(self, flavors: Sequence[str] = (), pool: str = LocalSettings.address_pool) -> None:
        self._flavors = tuple(flavor_from(text) for text in flavors or FLAVORS)
        self._pool = pool_from(pool)

    def within(self, scope: Scope) -> Catalog:
        """The machine is the same for all."""
        return self

    def flavors(self) -> Sequence[Flavor]:
        return self._flavors

    def volume_types(self) -> Sequence[VolumeType]:
        return (VOLUME_TYPE,)

    def availability_zones(self) -> Sequence[str]:
        return (ZONE,)

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> str | None:
        return wanted_address(nics, self._pool)

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """Whether it is a directory of this machine that has such a program."""
        if image is None:
            raise Invalid(
                "images have no tags here; give a directory of programs as the image",
                field="image_tags",
            )
        found = (Path(image) / program for program in programs)
        # Not `exists`, which raises for a directory that this process may not enter.
        if not image.startswith("/") or not any(os.access(path, os.X_OK) for path in found):
            raise Invalid(
                f"{image!r} is not a directory of this machine with the program "
                f"{' or '.join(programs)}; `trove-manage datastore_discover` finds what there is",
                field="image",
            )


def flavor_from(text: str) -> Flavor:
    """Read `id:name:memory MiB:vcpus`; raises Invalid."""
    parts = [part.strip() for part in text.split(":")]
    try:
        flavor_id, name, memory, vcpus = parts
        flavor = Flavor(flavor_id, name, memory=int(memory), vcpus=int(vcpus))
    except ValueError:
        message = f"{text!r} is not of the form id:name:memory in MiB:vcpus, as 2:small:512:1 is."
        raise Invalid(message, field="flavors") from None
    if not flavor.id or flavor.memory < 1 or flavor.vcpus < 1:
        message = f"{text!r} needs an id, and memory and vcpus of at least 1."
        raise Invalid(message, field="flavors")
    return flavor
