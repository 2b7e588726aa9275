"""`trove-manage orphans`, on the fake infrastructure's records below the state directory."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from trove import migrations
from trove.cli import manage
from trove.providers import fake
from trove.providers.base import Scope
from trove.settings import Settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    migrations.upgrade(f"sqlite:///{tmp_path}/trove.sqlite")
    path = tmp_path / "trove.conf"
    path.write_text(f"[DEFAULT]\nstate_directory={tmp_path}\nprovider=fake\n")
    return path


@pytest.fixture
def provider(tmp_path: Path) -> fake.FakeProvider:
    made = fake.create_provider(Settings(state_directory=tmp_path))
    made.within(Scope("shop")).volumes.ensure_volume("trove-1", 1)
    return made


def run(config: Path, *words: str) -> int:
    return manage.main(["--config-file", str(config), "orphans", *words])


def test_none_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config) == 0
    assert capsys.readouterr() == ("", "there are no orphans\n")


def test_they_are_listed(
    config: Path, provider: fake.FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("trove-1", "volume", "shop"))
    assert provider.everything() == ["volume/trove-1"]


@pytest.mark.parametrize("answer", ["yes", "", "delete "])
def test_they_are_not_deleted_by_accident(
    config: Path,
    provider: fake.FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
    assert run(config, "--delete") == 1
    assert "not confirmed; nothing was changed" in capsys.readouterr().err
    assert provider.everything() == ["volume/trove-1"]


@pytest.mark.parametrize("words", [["--delete"], ["--delete", "--yes"]])
def test_they_are_deleted(
    config: Path,
    provider: fake.FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("delete\n"))
    assert run(config, *words) == 0
    assert "deleted trove-1" in capsys.readouterr().out
    assert provider.everything() == []
