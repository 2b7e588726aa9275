"""The lock that says that a server lives."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from trove.providers.local.locks import has_life, take_life


def test_life_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    assert not has_life(path)
    life = take_life(path)
    assert life is not None
    assert has_life(path)
    assert take_life(path) is None
    os.close(life)
    assert not has_life(path)


def test_of_many_who_want_it_at_once_one_has_it(tmp_path: Path) -> None:
    together = Barrier(8)

    def take(path: Path) -> int | None:
        together.wait()
        return take_life(path)

    with ThreadPoolExecutor(8) as pool:
        for turn in range(50):
            found = list(pool.map(take, [tmp_path / str(turn)] * 8))
            lives = [life for life in found if life is not None]
            assert len(lives) == 1
            assert has_life(tmp_path / str(turn))
            os.close(lives[0])


def test_it_lasts_as_long_as_who_has_inherited_it(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    life = take_life(path)
    assert life is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(life,)) as heir:
        os.close(life)
        assert has_life(path)
        assert take_life(path) is None
        heir.communicate()
    assert not has_life(path)


def test_nothing_is_written_through_it(tmp_path: Path) -> None:
    """A tenant's code may come to have the descriptor."""
    life = take_life(tmp_path / "alive")
    assert life is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(life, b"x")
    os.close(life)
