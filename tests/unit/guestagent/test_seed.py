"""The program that makes what new instances begin with a copy of."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trove.datastores import datastore_of
from trove.errors import Failed
from trove.guestagent import seed


class Seeds:
    """A datastore's side, without an engine."""

    def make(self, binaries: Path, directory: Path) -> None:
        if not binaries.is_dir():
            raise Failed(f"{binaries} is missing")
        directory.mkdir()

    def copy(self, binaries: Path, seed: Path, directory: Path) -> None:
        raise AssertionError("a driver calls this")


@pytest.fixture
def with_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = replace(datastore_of("redis"), seed=Seeds)
    monkeypatch.setattr(seed, "datastore_of", lambda manager: found)


@pytest.mark.usefixtures("with_seeds")
def test_the_datastore_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["seed", "redis", str(tmp_path), str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", words)
    assert seed.main() == 0
    assert (tmp_path / "made").is_dir()


@pytest.mark.usefixtures("with_seeds")
def test_a_failure_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seed.main(["redis", "/no/programs", str(tmp_path / "made")]) == 1
    assert capsys.readouterr().err == "/no/programs is missing\n"


def test_a_datastore_without_seeds_makes_nothing(tmp_path: Path) -> None:
    assert seed.main(["redis", str(tmp_path), str(tmp_path / "made")]) == 0
    assert not (tmp_path / "made").exists()


def test_an_unknown_datastore_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seed.main(["none", str(tmp_path), str(tmp_path / "made")]) == 1
    assert "No datastore manager is called 'none'" in capsys.readouterr().err
