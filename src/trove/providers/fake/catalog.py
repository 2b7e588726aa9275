"""A few flavors of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from trove.errors import Invalid
from trove.providers.base import ANYWHERE, Flavor, Scope, VolumeType

FLAVORS = (
    Flavor("1", "tiny", memory=256, vcpus=1),
    Flavor("2", "small", memory=512, vcpus=1),
    Flavor("3", "medium", memory=1024, vcpus=2),
)
NO_NETWORK = "nowhere"
NO_IMAGE = "/nowhere"


class FakeCatalog:
    """What the fake infrastructure offers."""

    def __init__(self, scope: Scope = ANYWHERE) -> None:
        self.scope = scope

    def within(self, scope: Scope) -> FakeCatalog:
        scoped = copy(self)
        scoped.scope = scope
        return scoped

    def flavors(self) -> Sequence[Flavor]:
        return FLAVORS

    def volume_types(self) -> Sequence[VolumeType]:
        return (VolumeType("fake", "fake", "Not a volume at all"),)

    def availability_zones(self) -> Sequence[str]:
        return ("fake",)

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> None:
        """It has every network but one."""
        if any(nic.get("network_id") == NO_NETWORK for nic in nics):
            raise Invalid(f"there is no network {NO_NETWORK!r}", field="nics.network_id")

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """It has every image but one, and one with any tags but one."""
        if image == NO_IMAGE:
            raise Invalid(f"there is no image {NO_IMAGE!r}", field="image")
        if image is None and NO_IMAGE in tags:
            raise Invalid(f"no image has the tag {NO_IMAGE!r}", field="image_tags")
