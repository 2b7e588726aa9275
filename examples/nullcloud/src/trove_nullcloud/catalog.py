"""What it offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trove.errors import Invalid
from trove.providers.base import Catalog, Flavor, Scope, VolumeType

FLAVORS = (
    Flavor("small", "small", memory=1024, vcpus=1),
    Flavor("large", "large", memory=4096, vcpus=2),
)


class NullCatalog:
    """The same for every project."""

    def __init__(self, zones: Sequence[str]) -> None:
        self._zones = zones

    def within(self, scope: Scope) -> Catalog:
        return self

    def flavors(self) -> Sequence[Flavor]:
        return FLAVORS

    def volume_types(self) -> Sequence[VolumeType]:
        return (VolumeType("null", "null", "Keeps nothing"),)

    def availability_zones(self) -> Sequence[str]:
        return self._zones

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> None:
        if nics:
            raise Invalid("there are no networks to choose from; leave it out", field="nics")

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """Nothing is made from it."""
