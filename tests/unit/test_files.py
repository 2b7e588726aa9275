"""Private files: each is whole, whatever fails and however many write it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trove.files import (
    PRIVATE,
    TRAVERSABLE,
    create_private,
    ensure_directory,
    ensure_private,
    private,
    restrict_umask,
    sync,
    write_private,
)

UMASKS = (0o000, 0o002, 0o022, 0o077)


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [TRAVERSABLE, PRIVATE])
def test_directories_have_their_mode_under_any_umask(tmp_path: Path, umask: int, mode: int) -> None:
    path = tmp_path / "state" / "local" / "servers"
    assert ensure_directory(path, mode) == path
    assert mode_of(path) == mode
    assert [mode_of(parent) for parent in (path.parent, path.parent.parent)] == [TRAVERSABLE] * 2


def test_files_have_their_mode_under_any_umask(tmp_path: Path, umask: int) -> None:
    ensure_private(tmp_path / "keys" / "key", lambda: b"secret")
    write_private(tmp_path / "written", "secret")
    create_private(tmp_path / "created", "secret")
    with open(tmp_path / "opened", "wb", opener=private) as file:
        file.write(b"secret")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {mode_of(path) for path in files} == {0o600}
    assert mode_of(tmp_path / "keys") == PRIVATE


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o700, 0o700), (0o750, 0o750), (0o770, 0o770), (0o777, 0o711), (0o703, 0o711)],
    ids=oct,
)
def test_an_existing_directory_is_closed_to_everyones_writes_alone(
    tmp_path: Path, before: int, after: int
) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(before)
    ensure_directory(path)
    assert mode_of(path) == after


def test_a_foreign_directory_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    ensure_directory(path)
    assert mode_of(path) == 0o777


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_no_directory_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path / "absent")
    with pytest.raises(OSError, match="Not a directory|No such file"):
        ensure_directory(path)


def test_processes_that_create_one_directory_at_once_all_succeed(tmp_path: Path) -> None:
    paths = [tmp_path / str(number // 8) / "locks" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ensure_directory, paths)) == paths
    assert {mode_of(path) for path in paths} == {TRAVERSABLE}


def test_a_restricted_umask_only_ever_loses_bits(umask: int) -> None:
    restrict_umask()
    now = os.umask(umask)
    assert now == umask | 0o022


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


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """A directory has the name."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "taken", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
