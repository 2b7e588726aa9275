import os
import uuid
from pathlib import Path

import pytest

from tests.support.provider import IS_ROOT, SMALL, local_provider, spec_of
from trove.errors import Failed, Unavailable
from trove.protocol.engine_spec import EngineSpec
from trove.providers.local import launch, processes, programs, sandbox
from trove.providers.local.layout import Layout, ServerFiles, remove_folder
from trove.providers.local.machine import Machine
from trove.providers.local.records import Owner, Record, engine_spec_of, furnish, read_record

NAME = f"trove-{uuid.uuid4()}"
"""Control groups are the whole machine's, so no other test process may use the same name."""


def spec_in(files: ServerFiles) -> EngineSpec:
    return engine_spec_of(spec_of(NAME), files, Path("/v"), files.run)


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    real = programs.find
    monkeypatch.setattr(programs, "find", lambda name: None if name in missing else real(name))


def test_without_bubblewrap_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "bwrap")
    assert (Machine().no_sandbox or "").startswith("bwrap is not installed")
    assert Machine("none").no_sandbox == "isolation is set to none"


def test_without_root_volumes_are_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert Machine().no_limited_volumes == "only root can mount a file system"


@pytest.mark.skipif(not IS_ROOT, reason="only root mounts")
def test_without_its_programs_volumes_are_directories(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert Machine().no_limited_volumes is None
    without(monkeypatch, "xfs_growfs")
    assert Machine().no_limited_volumes == "xfs_growfs is not installed"
    provider = local_provider(tmp_path)
    provider.volumes.ensure_volume(NAME, 1)
    provider.volumes.grow_volume(NAME, 2)
    assert (tmp_path / "local/volumes" / NAME).is_dir()
    assert not (tmp_path / "local/volumes" / f"{NAME}.img").exists()
    with pytest.raises(
        Failed, match=r"disk space for 900000.0 GiB more: \d+\.\d GiB are left"
    ) as refused:
        provider.volumes.ensure_volume(f"{NAME}-b", 900_000)
    assert str(tmp_path) not in str(refused.value)
    assert f"not enough disk space in {tmp_path}" in caplog.text
    provider.volumes.delete_volume(NAME)
    assert not list((tmp_path / "local/volumes").iterdir())


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes another user")
def test_root_without_setpriv_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider = local_provider(tmp_path)
    provider.volumes.ensure_volume(NAME, 1)
    without(monkeypatch, "setpriv")
    with pytest.raises(Failed, match="setpriv is not installed"):
        provider.compute.ensure_server(spec_of(NAME, SMALL))
    provider.compute.delete_server(NAME)
    provider.volumes.delete_volume(NAME)


def test_what_a_program_complains_of_is_kept() -> None:
    assert programs.run("true") is None
    assert programs.run("false") == "false ended with 1"
    assert "No such file" in (programs.run("ls", "/no/such/file") or "")
    assert programs.run("no-such-program") == "no-such-program is not installed"


def test_what_a_program_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programs.output_of("echo", "a", "b") == "a b\n"
    assert programs.output_of("false") is None
    assert programs.output_of("no-such-program") is None
    monkeypatch.setattr(programs, "output_of", lambda *command: "C\nen_US.utf8\n")
    assert Machine().locales == frozenset({"C", "en_US.utf8"})
    monkeypatch.setattr(programs, "output_of", lambda *command: None)
    assert Machine().locales is None


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LONGEST", 0.05)
    assert programs.run("sleep", "10") == "sleep did not end within 0 seconds"


def test_a_socket_directory_is_short(tmp_path: Path) -> None:
    deep = Layout(tmp_path / ("x" * 80)).server("trove-1")
    assert len(str(deep.run)) < 40
    near = Layout(Path("/var/lib/trove/local")).server("trove-1")
    assert near.run == Path("/var/lib/trove/local/servers/trove-1/run")


def test_links_in_the_tenants_directory_lead_nowhere(tmp_path: Path) -> None:
    """A process in a server may put a link where the provider will write."""
    files = ServerFiles(tmp_path / "s")
    files.agent.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (files.agent / "place.json").symlink_to(precious)
    record = Record(None, spec_in(files), ("memory: not held",))
    (tmp_path / "v").mkdir()
    furnish(files, tmp_path / "v", record, {"../x": "y"})
    assert precious.read_text() == "kept"
    assert (files.agent / "x").read_text() == "y"
    assert read_record(files) == record
    (tmp_path / "v/logs").rmdir()
    (tmp_path / "v/logs").symlink_to(tmp_path)
    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        furnish(files, tmp_path / "v", record, {})


def test_a_folder_that_cannot_be_removed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: None)
    monkeypatch.setattr(programs, "run", lambda *command: "no")
    with pytest.raises(Unavailable, match="cannot be removed"):
        remove_folder(tmp_path)


def test_an_engine_brings_its_whole_package(tmp_path: Path) -> None:
    whole, alone = tmp_path / "pg/bin", tmp_path / "home/bin"
    wheel = tmp_path / "site-packages/pgserver/pginstall/bin"
    for path in (whole, alone, wheel, tmp_path / "pg/share"):
        path.mkdir(parents=True)
    assert sandbox._engine(None) == []
    assert sandbox._engine(whole) == [tmp_path / "pg"]
    assert sandbox._engine(alone) == [alone]
    assert sandbox._engine(wheel) == [tmp_path / "site-packages"]


def test_a_user_that_cannot_reach_python_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed/python"
    closed.parent.mkdir(mode=0o700)
    closed.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(closed))
    files = ServerFiles(tmp_path / "s")
    record = Record(Owner(os.getuid(), os.getgid()), spec_in(files), ())
    files.agent.mkdir(parents=True)
    plan = launch.Launch("a", files, record, Machine("none"), launch.agent_command)
    with pytest.raises(Failed, match="cannot read"):
        plan.run([], 0)


def test_processes_that_do_not_end_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LAST_CHANCE", 0.0)
    with pytest.raises(Unavailable, match="do not end"):
        processes.end(lambda: {2**22 + 1}, 0)


def test_a_process_that_ends_while_it_is_looked_at_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    (tmp_path / "2/stat").write_text("2 (a) b) Z 1 2 2")
    (tmp_path / "3").mkdir()
    (tmp_path / "3/stat").write_text("3 (a) b) S 4 2 2")
    (tmp_path / "3/environ").write_bytes(b"A=b\0TROVE_SERVER=s\0")
    (tmp_path / "5").mkdir()
    (tmp_path / "5/stat").write_text("5 (sleep) S 3 2 2")
    assert processes.marked("s", (), None, tmp_path) == {3, 5}
