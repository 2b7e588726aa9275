"""Volumes that are records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from trove.errors import Unavailable
from trove.providers.base import Scope, VolumeState, VolumeView
from trove.providers.fake.world import FakeWorld, is_pending


class FakeVolumes:
    """Its volumes are of any size."""

    def __init__(self, world: FakeWorld, scope: Scope) -> None:
        self.world = world
        self.scope = scope

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        record = {"size": size, "type": volume_type} | asdict(self.scope)
        self.world.create("volume", name, record)
        return f"volume-{name}"

    def volume_view(self, name: str) -> VolumeView:
        record = self.world.look("volume", name)
        if record is None:
            return VolumeView(VolumeState.ABSENT)
        return VolumeView(VolumeState.PENDING if is_pending(record) else VolumeState.READY)

    def names(self) -> Mapping[str, Scope]:
        return self.world.scopes("volume")

    def grow_volume(self, name: str, size: int) -> None:
        record = self.world.get("volume", name)
        if record is not None and record["size"] < size:
            self.world.change("volume", name, size=size)

    def delete_volume(self, name: str) -> None:
        if self.world.find("server", volume=name) is not None:
            raise Unavailable(f"The volume {name} is in use by a server.")
        self.world.delete("volume", name)
