"""Processes of engines, with real processes that stand for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from trove.datastores import process
from trove.errors import Crashed, Failed


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose program is called `sleep`, which lives in this directory."""
    with subprocess.Popen([shutil.which("sleep") or "", "600"], cwd=tmp_path) as child:
        yield child
        child.kill()


def test_a_pid_counts_with_its_program_and_directory(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    name = Path(f"/proc/{sleeper.pid}/exe").readlink().name
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{sleeper.pid}\nmore\n")
    assert process.running(pid_file, name, tmp_path) == sleeper.pid
    assert process.engine_processes(name, tmp_path) == [sleeper.pid]
    assert process.running(pid_file, "postgres", tmp_path) is None
    assert process.running(pid_file, name, tmp_path.parent) is None
    pid_file.write_text("")
    assert process.running(pid_file, name, tmp_path) is None
    pid_file.write_text("none")
    assert process.running(pid_file, name, tmp_path) is None
    assert process.running(tmp_path / "absent", name, tmp_path) is None


def test_an_unburied_process_is_not_there(sleeper: subprocess.Popen[bytes]) -> None:
    assert process.exists(sleeper.pid)
    os.kill(sleeper.pid, SIGKILL)
    assert process.wait_until(lambda: not process.exists(sleeper.pid), 5)
    sleeper.wait()
    assert not process.exists(sleeper.pid)
    process.end(sleeper.pid, [(SIGTERM, 1.0)])


def test_signals_grow_stronger(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' INT TERM; touch {ready}; while :; do sleep 0.1; done"
    pid = process.start_detached(["/bin/sh", "-c", script], tmp_path / "log")
    assert process.wait_until(ready.exists, 5)
    with pytest.raises(Failed, match="does not end"):
        process.end(pid, [(SIGINT, 0.05), (SIGTERM, 0.05)])
    process.end(pid, [(SIGTERM, 0.05), (SIGKILL, 5.0)])
    assert not process.exists(pid)


def test_a_detached_process_is_its_own(tmp_path: Path) -> None:
    log = tmp_path / "a log"
    pid = process.start_detached(["/bin/sh", "-c", "echo said; sleep 600"], log)
    try:
        assert os.getsid(pid) != os.getsid(0)
        assert process.wait_until(lambda: "said" in log.read_text(), 5)
    finally:
        os.killpg(os.getpgid(pid), SIGKILL)
    assert process.wait_until(lambda: not process.exists(pid), 5)


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(Failed, match=r"(?s)making failed with exit code 3:.*ouch"):
        process.run(["/bin/sh", "-c", "echo ouch >&2; exit 3"], "making")
    process.run(["/bin/sh", "-c", "read x; test $x = fed"], "reading", feed="fed\n")


def test_programs_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="missing or not executable"):
        process.program_of(tmp_path, "postgres")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo first; kill -SEGV $$", "making was ended by signal 11:\nfirst"),
        (
            "echo 'child process was terminated by signal 11: Segmentation fault'; exit 1",
            "making crashed:\nchild process",
        ),
    ],
    ids=["itself", "its child"],
)
def test_a_program_that_crashes_is_not_taken_for_one_that_gives_up(
    script: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    stack = "for n in $(seq 40); do echo frame $n; done"
    with pytest.raises(Crashed) as crash:
        process.run(["/bin/sh", "-c", f"{stack}; {script}"], "making")
    assert why.splitlines()[0] in crash.value.message
    assert why.splitlines()[1] in crash.value.message
    assert "frame 1\n" in crash.value.message
    assert "frame 20\n" not in crash.value.message
    assert "frame 20\n" in caplog.text


def test_a_long_log_keeps_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" + b"line\n" * process.KEPT + b"last\n")
    process.trim(log, 6 * process.KEPT)
    assert log.read_bytes().startswith(b"first\n"), "it is short enough"
    process.trim(log, 2 * process.KEPT)
    text = log.read_bytes()
    assert text.startswith(b"line\nline\n")
    assert text.endswith(b"line\nlast\n")
    assert len(text) <= process.KEPT
    process.trim(tmp_path / "absent", 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become two users")
def test_what_another_user_runs_is_seen_but_not_ended(tmp_path: Path) -> None:
    program, configuration = shutil.which("tail") or "", tmp_path / "engine.cnf"
    command = [program, "-f", f"--pid={os.getpid()}", "/dev/null", "--", f"--x={configuration}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, user=65533) as child:
        name = Path(f"/proc/{child.pid}/exe").readlink().name
        try:
            with as_user(65534):
                assert process.wait_until(
                    lambda: process.process_of_another_user(name, configuration) == child.pid, 10
                )
                assert process.process_of_another_user("postgres", configuration) is None
                assert process.process_of_another_user(name, tmp_path / "other.cnf") is None
                with pytest.raises(Failed, match="belongs to another user"):
                    process.end(child.pid, [(SIGTERM, 1.0)])
            assert process.process_of_another_user(name, configuration) is None, (
                "root sees into everything"
            )
        finally:
            child.kill()


@contextmanager
def as_user(number: int) -> Iterator[None]:
    os.setresuid(number, number, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_errors_of_the_operating_system_are_reported() -> None:
    with pytest.raises(Failed, match="MariaDB: .*No space left"), process.failures_of("MariaDB"):
        raise OSError(28, "No space left on device")


def test_a_disk_that_is_not_there_is_not_full(tmp_path: Path) -> None:
    assert not process.is_disk_full(tmp_path)
    assert not process.is_disk_full(tmp_path / "absent")


def test_trees_are_synced_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "below" / "file").write_text("x")
    process.sync_tree(tree)
    monkeypatch.setenv("PATH", "/nowhere")
    process.sync_tree(tree)
    process.remove_tree(tree)
    process.remove_tree(tree)
    assert not tree.exists()


def test_waiting_ends() -> None:
    assert not process.wait_until(lambda: False, 0.02)
    assert process.wait_until(lambda: True, 0)


def test_a_program_that_hangs_is_given_up(tmp_path: Path) -> None:
    """With the children that it has started, which hold its output open."""
    child = tmp_path / "child"
    script = f"sleep 600 & echo $! >{child}; wait"
    with pytest.raises(Failed, match=r"initdb did not end within 0\.005 minutes; see whether"):
        process.run(["/bin/sh", "-c", script], "initdb", seconds=0.3)
    pid = int(child.read_text())
    assert process.wait_until(lambda: not process.exists(pid), 5)


def test_a_program_is_fed_and_heard() -> None:
    assert process.run(["/bin/cat"], "cat", feed="food\n") == "food"
    assert process.run(["/bin/cat"], "cat") == ""
    with pytest.raises(Failed, match="sh failed with exit code 3:\nwhy"):
        process.run(["/bin/sh", "-c", "echo why >&2; exit 3"], "sh")


def test_the_newest_change_is_that_of_any_file(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    assert process.newest_change(paths) is None
    for at, path in enumerate(paths[:2]):
        path.write_text("")
        os.utime(path, (0, 100 + at))
    assert process.newest_change(paths) == 101
    os.utime(paths[0], (0, 300))
    assert process.newest_change(iter(paths)) == 300
