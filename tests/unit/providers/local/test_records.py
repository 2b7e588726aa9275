"""What the provider remembers of a server, after the disk has lost some of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import local_provider, spec_of
from trove.errors import Unavailable
from trove.protocol.engine_spec import EngineSpec
from trove.protocol.seeds import seed_for
from trove.providers.base import ServerState, view_of
from trove.providers.local.layout import Layout, ServerFiles
from trove.providers.local.records import (
    Owner,
    Record,
    engine_spec_of,
    furnish,
    read_record,
    write_record,
)

ROOT = Path(__file__).parents[4]
SPEC = engine_spec_of(spec_of("NAME"), ServerFiles(Path("/s")), Path("/v"), Path("/run"))
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
    view = view_of(local_provider(tmp_path).compute, "trove-1")
    assert view.state is ServerState.DOWN  # which is what its recovery waits for


def test_a_record_is_read_as_it_was_written(files: ServerFiles) -> None:
    owner = Owner(os.getuid(), os.getgid())
    for record in (Record(owner, SPEC, ("memory: not held",)), Record(None, SPEC, (), Path("/x"))):
        write_record(files, record)
        assert read_record(files) == record


def test_the_seed_is_named_where_the_driver_finds_it(files: ServerFiles, tmp_path: Path) -> None:
    volume, seed = tmp_path / "v", tmp_path / "seed"
    volume.mkdir()
    seed.mkdir()
    spec = engine_spec_of(spec_of("NAME"), files, volume, files.run)
    furnish(files, volume, Record(None, spec, ()), {})
    assert seed_for(spec) is None
    furnish(files, volume, Record(None, spec, (), seed), {})
    assert seed_for(spec) == seed
    seed.rmdir()
    assert seed_for(spec) is None


def test_settings_of_the_engine_reach_its_agent(files: ServerFiles, tmp_path: Path) -> None:
    server = replace(spec_of("NAME"), settings={"max-item-size": "8m"})
    spec = engine_spec_of(server, files, tmp_path, files.run)
    (tmp_path / "logs").mkdir()
    furnish(files, tmp_path, Record(None, spec, ()), {})
    written = EngineSpec.from_json((files.agent / "place.json").read_bytes())
    assert written.settings == {"max-item-size": "8m"}
    assert written.resized(512, 2).settings == written.settings


def test_a_record_of_the_first_release_is_read(files: ServerFiles) -> None:
    place: dict[str, Any] = {
        key: str(getattr(SPEC, key)) for key in ("data", "run", "config", "logs")
    }
    place |= {"manager": "postgresql", "version": "15", "binaries": "", "seed": "/seed"}
    place |= {"address": "127.70.0.1", "port": 5432, "memory": 128, "vcpus": 1}
    known = {"owner": {"uid": 1, "gid": 2}, "place": place, "unenforced": ["memory: not held"]}
    files.record.write_text(json.dumps(known))
    assert read_record(files) == Record(Owner(1, 2), SPEC, ("memory: not held",))
    assert EngineSpec.from_json(json.dumps(place).encode()) == SPEC


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
    write_record(files, Record(None, SPEC, ()))
    assert renamed == ["place.json", "server.json"]


def test_the_manual_says_where_the_logs_are() -> None:
    layout = Layout(Path("/local"))
    files, volume = layout.server("NAME"), layout.volume("NAME")
    logs = engine_spec_of(spec_of("NAME"), files, volume, files.run).logs
    manual = (ROOT / "docs/operators/watching.md").read_text()
    for path in (logs, files.log):
        assert f"`[local] directory`/{path.relative_to(layout.directory)}" in manual


def test_a_server_whose_record_cannot_be_read_is_unavailable(
    files: ServerFiles, tmp_path: Path
) -> None:
    files.record.mkdir()
    with pytest.raises(Unavailable, match=r"trove-1 cannot be seen: .*Is a directory"):
        view_of(local_provider(tmp_path).compute, "trove-1")
