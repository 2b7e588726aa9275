"""What /proc shows of processes and mounts: real ones, and files that look like it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trove.processes import Mount, Process, all_processes, mounts, own_status


def test_a_process_shows_what_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", "a word"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path) as child:
        process = Process(child.pid)
        assert process in set(all_processes())
        assert process.is_alive()
        assert process.parent() == os.getpid()
        assert process.user() == os.geteuid()
        assert process.working_directory() == tmp_path
        assert process.program() == Path(sys.executable).resolve().name
        assert b"a word" in process.arguments()
        assert process.name().startswith("python")
        child.communicate()
    assert not process.is_alive()
    with pytest.raises(OSError, match="No such file"):
        process.parent()
    assert not process.has_socket("1")


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not Process(child.pid).is_alive()
    assert Process(child.pid) in set(all_processes())
    child.wait()


def test_a_name_with_parentheses_and_an_upgraded_program(tmp_path: Path) -> None:
    entry = tmp_path / "7"
    entry.mkdir()
    (entry / "stat").write_text("7 (a) Z (b) S 3 7 7 0\n")
    (entry / "exe").symlink_to("/usr/bin/postgres (deleted)")
    (entry / "environ").write_bytes(b"A=1\0B=2\0")
    (tmp_path / "self").mkdir()
    [process] = all_processes(tmp_path)
    assert (process.pid, process.parent(), process.is_alive()) == (7, 3, True)
    assert process.program() == "postgres"
    assert b"B=2" in process.environment()


def test_a_socket_leads_to_its_process() -> None:
    with socket.socket() as opened:
        inode = str(os.fstat(opened.fileno()).st_ino)
        assert Process(os.getpid()).has_socket(inode)
        assert not Process(os.getpid()).has_socket("0")


def test_own_status_has_fields() -> None:
    assert int(own_status()["Pid"]) == os.getpid()


def test_mounts_are_read_with_optional_fields_and_escapes(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        "30 23 0:26 /user /sys/fs/cgroup rw shared:4 master:1 - cgroup2 none rw,memory\n"
        "20 1 8:1 / /a\\040b\\134c rw - ext4 /dev/a rw\n"
    )
    assert list(mounts(tmp_path)) == [
        Mount(Path("/sys/fs/cgroup"), "/user", "cgroup2", ["rw", "memory"]),
        Mount(Path("/a b\\c"), "/", "ext4", ["rw"]),
    ]
    assert any(mount.kind == "proc" for mount in mounts())
