"""A few flavors of everything."""

from __future__ import annotations

from collections.abc import Sequence

from trove.providers.base import Flavor, VolumeType

FLAVORS = (
    Flavor("1", "tiny", memory=256, vcpus=1),
    Flavor("2", "small", memory=512, vcpus=1),
    Flavor("3", "medium", memory=1024, vcpus=2),
)


class FakeCatalog:
    """What the fake infrastructure offers."""

    def flavors(self) -> Sequence[Flavor]:
        return FLAVORS

    def volume_types(self) -> Sequence[VolumeType]:
        return (VolumeType("fake", "fake", "Not a volume at all"),)

    def availability_zones(self) -> Sequence[str]:
        return ("fake",)
