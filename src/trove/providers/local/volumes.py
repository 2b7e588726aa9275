"""Volumes: as root a file with an XFS file system in it, mounted; otherwise a plain directory."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trove.errors import Failed, Invalid, Unavailable
from trove.providers.base import ANYWHERE, Scope, VolumeState, VolumeView
from trove.providers.local import programs
from trove.providers.local.catalog import VOLUME_TYPE
from trove.providers.local.images import Image, device_at, promised, unmount
from trove.providers.local.layout import Layout, make_folder, named_lock, remove_folder
from trove.providers.local.machine import Machine

log = logging.getLogger(__name__)

GIB = 1 << 30
SMALL = 64 << 20
"""Bytes for the agent's own files: keys, journal, configuration."""


class LocalVolumes:
    """A volume is a directory below `Layout.volumes`; limited ones are mounted there."""

    def __init__(self, layout: Layout, machine: Machine) -> None:
        self._layout = layout
        self._machine = machine

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        if volume_type not in {None, VOLUME_TYPE.id}:
            raise Invalid(f"there is no {volume_type!r} here.", field="volume_type")
        with self._held(name):
            make_folder(self._layout.volumes)
            if not self._exists(name):
                self._make(name, size * GIB)
            self._attach(name)
        return name

    def volume_view(self, name: str) -> VolumeView:
        """Every call has finished when it returns."""
        return VolumeView(VolumeState.READY if self._exists(name) else VolumeState.ABSENT)

    def names(self) -> Mapping[str, Scope]:
        return dict.fromkeys(self._layout.volume_names(), ANYWHERE)

    def grow_volume(self, name: str, size: int) -> None:
        with self._held(name):
            if not self._exists(name):
                raise Failed(f"There is no volume {name} that could grow.")
            if self._layout.image(name).exists():
                self._grow(name, size * GIB)

    def delete_volume(self, name: str) -> None:
        with self._held(name):
            image = self._image(name)
            unmount(image.point)
            # The image last: a directory without one would pass for a volume without a limit.
            remove_folder(image.point)
            image.remove()

    def attach(self, name: str) -> Path:
        """The directory of a volume that exists, mounted again after a reboot; raises Failed."""
        with self._held(name):
            if not self._exists(name):
                raise Failed(f"The volume {name} is missing from {self._layout.volumes}.")
            self._attach(name)
        return self._layout.volume(name)

    def attach_small(self, image: Image) -> None:
        """Limit what is kept at the image's point to SMALL bytes, where the machine can.

        A directory that is there already stays as it is.
        """
        if image.exists():
            image.attach()
        elif not (self._machine.no_small_volumes or image.point.exists()):
            make_folder(self._layout.volumes)
            self._make_image(image, SMALL)
            image.attach()

    def unenforced(self, name: str, small: Image) -> tuple[str, ...]:
        """What does not hold of this volume, and of what `attach_small` made, in words."""
        late = "it was made when the machine could not"
        found = (
            ("volume size", self._image(name), self._machine.no_limited_volumes),
            ("size of the agent's files", small, self._machine.no_small_volumes),
        )
        return tuple(f"{what}: {why or late}" for what, image, why in found if not image.exists())

    def _exists(self, name: str) -> bool:
        return self._layout.image(name).exists() or self._layout.volume(name).is_dir()

    def _make(self, name: str, size: int) -> None:
        if self._machine.no_limited_volumes:
            self._refuse_beyond(size)
            # Nothing is set aside: a plain directory takes what it needs, when it needs it.
            make_folder(self._layout.volume(name), 0o700)
            return
        self._make_image(self._image(name), size)

    def _make_image(self, image: Image, size: int) -> None:
        # What a killed try has left counts as promised, and would take the room of this one.
        image.unfinished.unlink(missing_ok=True)
        with self._room_for(size):
            image.reserve(size)
        # Outside the lock: the room is taken once the file has its length, and mkfs may be slow.
        image.format()

    def _image(self, name: str) -> Image:
        return Image(self._layout.image(name), self._layout.volume(name), "xfs")

    def _attach(self, name: str) -> None:
        image = self._image(name)
        if image.exists():
            image.attach()

    def _grow(self, name: str, size: int) -> None:
        image = self._layout.image(name)
        self._attach(name)
        with self._room_for(size - image.stat().st_size):
            # Never cut. The process that set its length may have been killed before its file system
            # grew, so what follows is done in any case; both programs may be called again.
            if image.stat().st_size < size:
                os.truncate(image, size)
        point = self._layout.volume(name)
        complaint = programs.run("losetup", "-c", f"/dev/{device_at(point).name}")
        complaint = complaint or programs.run("xfs_growfs", "-d", str(point))
        if complaint:
            raise Unavailable(f"The volume {name} cannot grow: {complaint}")

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """One at a time, so that what one takes the next sees."""
        with named_lock(self._layout.locks, "volumes"):
            self._refuse_beyond(size)
            yield

    def _refuse_beyond(self, size: int) -> None:
        """Every volume may become full, so what they have been promised counts as used."""
        free = shutil.disk_usage(self._layout.volumes).free
        # Those without a file system yet (.img.new) count too.
        images = (*self._layout.volumes.glob("*.img*"), *self._layout.servers.glob("*/*.img*"))
        owed = sum(map(promised, images))
        left = max(0, free - owed)
        if size > left:
            # The machine's paths, and what others have been promised, are for its operator alone.
            log.warning(
                "not enough disk space in %s: %.1f GiB wanted, %.1f GiB free, of which %.1f GiB"
                " are promised to other volumes",
                *(self._layout.volumes, size / GIB, free / GIB, owed / GIB),
            )
            raise Failed(
                f"The machine has not enough disk space for {size / GIB:.1f} GiB more:"
                f" {left / GIB:.1f} GiB are left. Choose a smaller volume, or repeat the"
                " request when its operator has made space."
            )

    def _held(self, name: str) -> contextlib.AbstractContextManager[None]:
        return named_lock(self._layout.locks, f"volume.{self._layout.volume(name).name}")
