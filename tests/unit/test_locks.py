"""Locks that the kernel releases when their holder ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from trove.locks import (
    acquire_inherited,
    exclusive,
    is_inherited_lock_held,
    lock_for_life,
    process_holding,
    process_lock,
)


def test_an_inherited_lock_is_acquired_once(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    assert not is_inherited_lock_held(path)
    descriptor = acquire_inherited(path)
    assert descriptor is not None
    assert is_inherited_lock_held(path)
    assert acquire_inherited(path) is None
    os.close(descriptor)
    assert not is_inherited_lock_held(path)


def test_one_of_many_acquires_an_inherited_lock(tmp_path: Path) -> None:
    together = Barrier(8)

    def acquire(path: Path) -> int | None:
        together.wait()
        return acquire_inherited(path)

    with ThreadPoolExecutor(8) as pool:
        for round_ in range(50):
            found = list(pool.map(acquire, [tmp_path / str(round_)] * 8))
            acquired = [descriptor for descriptor in found if descriptor is not None]
            assert len(acquired) == 1
            assert is_inherited_lock_held(tmp_path / str(round_))
            os.close(acquired[0])


def test_it_is_held_while_an_heir_runs(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    descriptor = acquire_inherited(path)
    assert descriptor is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(descriptor,)) as heir:
        os.close(descriptor)
        assert is_inherited_lock_held(path)
        assert acquire_inherited(path) is None
        heir.communicate()
    assert not is_inherited_lock_held(path)


def test_nothing_is_written_through_it(tmp_path: Path) -> None:
    """A tenant's code may come to have the descriptor."""
    descriptor = acquire_inherited(tmp_path / "alive")
    assert descriptor is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    os.close(descriptor)


def test_an_exclusive_lock_excludes_threads_and_leaves_no_file(tmp_path: Path) -> None:
    path, inside = tmp_path / "lock", list[int]()

    def work(_: int) -> int:
        with exclusive(path):
            inside.append(1)
            most = len(inside)
            inside.pop()
        return most

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(400))) == {1}
    assert not path.exists()


def test_only_the_owner_may_open_a_process_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    path.chmod(0o666)
    with process_lock(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_process_lock_follows_no_link(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), process_lock(path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_holder_that_the_kernel_does_not_name_is_no_process(tmp_path: Path) -> None:
    """To kill(2), its -1 would mean every process."""
    path = tmp_path / "lock"
    descriptor = acquire_inherited(path)
    assert descriptor is not None
    assert process_holding(path) == 0
    os.close(descriptor)
    assert process_holding(path) is None


@contextmanager
def another_process(script: str, path: Path, says: bytes) -> Iterator[int]:
    """The id of a process that runs this script, has said this, and ends with the block."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == says
        yield process.pid
        process.communicate()


def test_a_process_lock_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert process_holding(path) is None
    script = (
        "import sys; from pathlib import Path; from trove.locks import process_lock\n"
        "with process_lock(Path(sys.argv[1])) as file:\n"
        "    file.write('mine'); file.flush(); print('held', flush=True); sys.stdin.read()"
    )
    with another_process(script, path, b"held\n") as pid:
        assert process_holding(path) == pid
        with pytest.raises(BlockingIOError), process_lock(path):
            pass
        assert path.read_text() == "mine"
    assert process_holding(path) is None


def test_a_lock_for_life_is_held_while_the_interpreter_shuts_down(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import atexit, sys; from pathlib import Path; from trove.locks import lock_for_life\n"
        "def last(): print('ending', flush=True); sys.stdin.read()\n"
        "atexit.register(last); lock_for_life(Path(sys.argv[1]))"
    )
    with another_process(script, path, b"ending\n") as pid:
        assert process_holding(path) == pid
        for _ in range(2):
            with pytest.raises(BlockingIOError):
                lock_for_life(path)
    assert process_holding(path) is None
