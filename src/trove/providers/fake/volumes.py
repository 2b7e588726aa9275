"""Volumes that are a line in the books."""

from __future__ import annotations

from trove.providers.fake.world import FakeWorld


class FakeVolumes:
    """Its volumes are as large as anybody likes."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        self.world.create("volume", name, {"size": size, "type": volume_type})
        return f"volume-{name}"

    def grow_volume(self, name: str, size: int) -> None:
        record = self.world.get("volume", name)
        if record is not None and record["size"] < size:
            self.world.change("volume", name, size=size)

    def delete_volume(self, name: str) -> None:
        self.world.delete("volume", name)
