"""Private files: each is whole, whatever fails and however many write it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trove.files import create_private, ensure_private, sync, write_private


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_private_and_replaced_as_a_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o644)
    for content in ("one", b"two"):
        write_private(path, content, durable=durable)
        assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_a_failed_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_private(path, "old")
    monkeypatch.setattr(os, "fsync", _disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, "new")
    with pytest.raises(OSError, match="No space left"):
        create_private(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_tenants_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    owner = (os.geteuid(), os.getegid())
    with pytest.raises(NotADirectoryError):
        write_private(tmp_path / "link" / "file", "x", owner=owner)
    write_private(tmp_path / "real" / "file", "x", owner=owner)
    write_private(tmp_path / "link" / "file", "y")
    assert (tmp_path / "real" / "file").read_text() == "y"


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_private(path, "first")
    assert not create_private(path, "second", durable=False)
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_processes_that_ensure_a_file_at_once_have_the_same_content(tmp_path: Path) -> None:
    def ensure(path: Path) -> bytes:
        return ensure_private(path, lambda: os.urandom(16))

    for number in range(20):
        path = tmp_path / str(number) / "key"
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(ensure, [path] * 8))
        assert found == {path.read_bytes()}


def test_files_and_directories_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path):
        sync(path)
    assert synced == [tmp_path / "file", tmp_path]


def _disk_full(_: int) -> None:
    raise OSError(28, "No space left on device")
