"""Files with a file system: mounted by devices that write past the page cache."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.provider import IS_ROOT
from tests.support.waiting import until
from trove.providers.local import programs
from trove.providers.local.images import Image, device_at, promised, unmount

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root mounts")

SIZE = 320 << 20
"""Bytes; mkfs.xfs refuses less than 300 MB."""


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    made = Image(tmp_path / "volume.img", tmp_path / "volume", "xfs")
    yield made
    unmount(made.point)
    until(lambda: not _devices_of(made.file))


@pytest.fixture
def mounted(image: Image) -> Image:
    image.reserve(SIZE)
    image.format()
    image.attach()
    return image


def test_its_blocks_are_taken_as_they_are_written(mounted: Image) -> None:
    assert mounted.file.stat().st_size == SIZE
    before = promised(mounted.file)
    assert before > SIZE // 2
    with (mounted.point / "data").open("wb") as file:
        file.write(bytes(8 << 20))
        os.fsync(file.fileno())
    assert promised(mounted.file) <= before - (4 << 20)


def test_it_writes_whole_blocks_of_what_is_below(mounted: Image) -> None:
    """Access past the page cache is slow for parts of blocks."""
    said = subprocess.run(
        ["xfs_info", str(mounted.point)], capture_output=True, text=True, check=True
    )
    assert "sectsz=4096" in said.stdout
    assert "sectsz=512" not in said.stdout


def test_its_device_writes_past_the_page_cache(mounted: Image) -> None:
    (mounted.point / "data").write_bytes(b"kept")
    assert _is_direct(mounted)
    unmount(mounted.point)
    mounted.attach()
    assert _is_direct(mounted)
    assert (mounted.point / "data").read_bytes() == b"kept"


def test_one_that_an_earlier_release_has_mounted_is_switched_over(image: Image) -> None:
    """A sparse file with small sectors, in use, behind the page cache."""
    with image.file.open("wb") as file:
        file.truncate(SIZE)
    image.point.mkdir()
    subprocess.run(["mkfs.xfs", "-q", "-K", str(image.file)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image.file), str(image.point)], check=True)
    with (image.point / "data").open("w+") as used:
        used.write("before")
        image.attach()
        used.write(" and after")
        used.flush()
        os.fsync(used.fileno())
    assert _is_direct(image)
    unmount(image.point)
    image.attach()
    assert (image.point / "data").read_text() == "before and after"


def test_without_such_access_it_is_mounted_all_the_same(
    image: Image, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = programs.run

    def refuse(name: str, *args: str) -> str | None:
        return "not supported" if "--direct-io=on" in args else real(name, *args)

    monkeypatch.setattr(programs, "run", refuse)
    caplog.set_level("INFO")
    image.reserve(SIZE)
    image.format()
    image.attach()
    assert not _is_direct(image)
    assert f"{image.point} is written through the page cache: not supported" in caplog.text
    (image.point / "data").write_bytes(b"usable")


def _is_direct(image: Image) -> bool:
    return (device_at(image.point) / "loop" / "dio").read_text() == "1\n"


def _devices_of(file: Path) -> str:
    listed = subprocess.run(
        ["losetup", "-j", str(file)], capture_output=True, text=True, check=True
    )
    return listed.stdout
