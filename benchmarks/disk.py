"""A file system that was never used before, as each instance's volume is one.

ext4 spares the inodes of files that were deleted within the last five minutes, and looks for
others one by one: where much has come and gone just now, as between two runs of a benchmark,
making files takes up to half as long again.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACE = Path("/var/tmp")
"""On the disk, where real data would lie."""
SIZE = 16 * 2**30
"""Bytes; they are taken from the disk as they are written."""


@contextmanager
def fresh_disk() -> Iterator[Path]:
    """Where it is mounted, with XFS as the instances have it; `PLACE` itself when not root."""
    if os.geteuid() != 0:
        yield PLACE
        return
    with tempfile.TemporaryDirectory(prefix="bare-disk-", dir=PLACE) as name:
        image, point = Path(name) / "image", Path(name) / "mounted"
        with image.open("wb") as file:
            file.truncate(SIZE)
        point.mkdir()
        Path(name).chmod(0o755)
        subprocess.run(["mkfs.xfs", "-q", "-K", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop,noatime", str(image), str(point)], check=True)
        try:
            point.chmod(0o1777)
            yield point
        finally:
            subprocess.run(["umount", str(point)], check=True)
