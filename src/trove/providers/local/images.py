"""A file with a file system in it, mounted where it is wanted: how space is limited, as root.

Its device goes past the page cache. Otherwise every flush of a database's log would wait until all
that is in the cache of the file is on the disk too, which takes about half of what it may write.

Law: the file bears its name only once its file system is whole; whether it is mounted is the
kernel's word, for a file system that has given up does not answer for itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from trove.errors import Failed, Unavailable
from trove.files import private
from trove.processes import mounts
from trove.providers.local import programs
from trove.providers.local.layout import make_folder

log = logging.getLogger(__name__)

# With `loop` the device goes when the last mount does; nodev and nosuid, for tenants write there.
OPTIONS = "loop,noatime,nodev,nosuid"
# Nothing is discarded: a new sparse file has no block to give back. No blocks for root (-m 0),
# which the server's user could never have. Blocks and sectors are as large as the blocks below, so
# that no write is of a part of one.
MAKE = {
    "xfs": ("mkfs.xfs", "-q", "-f", "-K", "-s", "size=4096"),
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "nodiscard"),
}


@dataclass(frozen=True)
class Image:
    """One such file, and where it is mounted; every call may be repeated."""

    file: Path
    point: Path
    # XFS alone would not do: mkfs.xfs refuses less than 300 MB (xfsprogs 6.1). Nor would ext4: it
    # grows while mounted only with CAP_SYS_RESOURCE, which containers often lack.
    kind: str
    """`xfs`, which grows while it is in use, or `ext4`, which may be small."""

    @property
    def unfinished(self) -> Path:
        """Where it is until it has a file system."""
        return self.file.with_suffix(".img.new")

    def exists(self) -> bool:
        return self.file.exists()

    def reserve(self, size: int) -> None:
        """So many bytes, which are taken from the disk as they are written."""
        with open(self.unfinished, "wb", opener=private) as file:
            file.truncate(size)

    def format(self) -> None:
        """Make the file system; raises Failed, and nothing is left."""
        complaint = programs.run(*MAKE[self.kind], str(self.unfinished))
        if complaint:
            self.unfinished.unlink()
            raise Failed(f"No file system could be made in {self.file}: {complaint}")
        self.unfinished.rename(self.file)

    def attach(self) -> None:
        """Mount it unless it is, and mount it again when it has failed; raises Unavailable."""
        if not (is_mounted(self.point) and _is_sound(self.point)):
            self._mount()
        # Each time: a release before mounted it otherwise, and it stays mounted.
        _bypass_cache(self.point)

    def _mount(self) -> None:
        unmount(self.point)
        make_folder(self.point, 0o700)
        complaint = programs.run(
            "mount", "-t", self.kind, "-o", OPTIONS, str(self.file), str(self.point)
        )
        if complaint:
            raise Unavailable(f"{self.file} cannot be mounted: {complaint}")

    def remove(self) -> None:
        """The file; its point is unmounted before."""
        self.unfinished.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)


def promised(file: Path) -> int:
    """The bytes that a sparse file may still come to take."""
    with contextlib.suppress(FileNotFoundError):
        status = file.stat()
        # In units of 512 bytes, whatever the file system's blocks are (stat(2)).
        return max(0, status.st_size - status.st_blocks * 512)
    return 0


def device_at(point: Path) -> Path:
    """The block device that is mounted there."""
    number = point.stat().st_dev
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()


def unmount(point: Path) -> None:
    """Also when it is in use: it goes out of sight now, and for good with its last user."""
    while is_mounted(point):
        complaint = programs.run("umount", str(point)) and programs.run("umount", "-l", str(point))
        if complaint:
            raise Unavailable(f"{point} cannot be unmounted: {complaint}")


def is_mounted(point: Path) -> bool:
    """By the kernel's list."""
    # The point itself is not resolved: to look at it fails when its file system has given up.
    seen = point.parent.resolve() / point.name
    return any(mount.point == seen for mount in mounts())


def _is_sound(point: Path) -> bool:
    """XFS shuts down when the disk below it is full or fails; mounted again, it repairs itself."""
    try:
        point.stat()
    except OSError:
        return False
    return True


def _bypass_cache(point: Path) -> None:
    """Where the file system below has no such access, all works as before, and slower."""
    device = device_at(point)
    if (device / "loop" / "dio").read_text().strip() == "1":
        return
    complaint = programs.run("losetup", "--direct-io=on", f"/dev/{device.name}")
    if complaint:
        log.info("%s is written through the page cache: %s", point, complaint)
