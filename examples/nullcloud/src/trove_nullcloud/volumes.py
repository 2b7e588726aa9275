"""Volumes that are sizes."""

from __future__ import annotations

from collections.abc import Mapping

from trove.errors import Failed
from trove.providers.base import ANYWHERE, Scope, VolumeState, VolumeView


class NullVolumes:
    """GiB by name."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        self._sizes.setdefault(name, size)
        return name

    def volume_view(self, name: str) -> VolumeView:
        return VolumeView(VolumeState.READY if name in self._sizes else VolumeState.ABSENT)

    def names(self) -> Mapping[str, Scope]:
        return dict.fromkeys(self._sizes, ANYWHERE)

    def grow_volume(self, name: str, size: int) -> None:
        if name not in self._sizes:
            raise Failed(f"There is no volume {name} that could grow.")
        self._sizes[name] = max(self._sizes[name], size)

    def delete_volume(self, name: str) -> None:
        self._sizes.pop(name, None)
