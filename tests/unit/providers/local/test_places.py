"""What the provider remembers of a server, after the disk has lost some of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.provider import local_provider, spec_of
from trove.errors import Unavailable
from trove.providers.base import ServerState
from trove.providers.local.layout import Layout, ServerFiles
from trove.providers.local.places import Owner, Record, place_of, read_record, write_record

ROOT = Path(__file__).parents[4]
PLACE = {"data": "/v", "memory": 1, "vcpus": 1}
LEFT = [b"", bytes(4), b'{"owner": ', b"null", b"[]", b"{}", b'{"owner": {"u": 1}}', b"\xff"]


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    found = Layout(tmp_path / "local").server("trove-1")
    found.agent.mkdir(parents=True)
    return found


@pytest.mark.parametrize("left", LEFT)
def test_a_record_that_is_not_whole_is_none(
    files: ServerFiles, tmp_path: Path, left: bytes
) -> None:
    files.record.write_bytes(left)
    assert read_record(files) is None
    view = local_provider(tmp_path).compute.server_view("trove-1")
    assert view.state is ServerState.DOWN  # which is what its recovery waits for


def test_a_record_is_read_as_it_was_written(files: ServerFiles) -> None:
    record = Record(Owner(os.getuid(), os.getgid()), PLACE, ("memory: not held",))
    write_record(files, record)
    assert read_record(files) == record


def test_a_file_has_its_name_once_its_content_is_on_the_disk(
    files: ServerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of two calls stands in for the power cut between them."""
    synced: set[int] = set()
    sync, rename = os.fsync, os.rename

    def look(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        status = os.stat(source, dir_fd=src_dir_fd)
        assert status.st_ino in synced
        assert status.st_size > 0
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        renamed.append(target)

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    renamed: list[str] = []
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "rename", look)
    write_record(files, Record(None, PLACE, ()))
    assert renamed == ["place.json", "server.json"]


def test_the_manual_tells_where_the_logs_are() -> None:
    layout = Layout(Path("/local"))
    files, volume = layout.server("NAME"), layout.volume("NAME")
    logs = Path(place_of(spec_of("NAME"), files, volume, files.run, None)["logs"])
    manual = (ROOT / "docs/operators/watching.md").read_text()
    for path in (logs, files.log):
        assert f"`[local] directory`/{path.relative_to(layout.directory)}" in manual


def test_a_server_that_can_not_be_looked_at_is_told(files: ServerFiles, tmp_path: Path) -> None:
    files.record.mkdir()
    with pytest.raises(Unavailable, match=r"trove-1 can not be looked at: .*Is a directory"):
        local_provider(tmp_path).compute.server_view("trove-1")
