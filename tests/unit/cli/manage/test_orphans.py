"""`trove-manage orphans`, on the fake infrastructure's records below the state directory."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.support.orphans import add_deleted_instance, config_of, metadata_in
from trove.cli import manage
from trove.providers import fake
from trove.providers.base import Scope
from trove.settings import Settings

KNOWN, UNKNOWN = "volume/trove-known", "volume/trove-unknown"
ALL = [KNOWN, UNKNOWN]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    metadata_in(tmp_path)
    return config_of(tmp_path, "provider=fake")


@pytest.fixture
def provider(tmp_path: Path) -> fake.FakeProvider:
    return fake.create_provider(Settings(state_directory=tmp_path))


@pytest.fixture
def known(config: Path, provider: fake.FakeProvider, tmp_path: Path) -> None:
    """A volume of an instance that was deleted."""
    add_deleted_instance(tmp_path, "known")
    provider.within(Scope("shop")).volumes.ensure_volume("trove-known", 1)


@pytest.fixture
def unknown(config: Path, provider: fake.FakeProvider) -> None:
    """A volume of an instance that this metadata database has never had."""
    provider.within(Scope("bank")).volumes.ensure_volume("trove-unknown", 1)


def run(config: Path, *words: str) -> int:
    return manage.main(["--config-file", str(config), "orphans", *words])


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_none_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config) == 0
    assert capsys.readouterr() == ("", "there are no orphans\n")


@pytest.mark.usefixtures("known", "unknown")
def test_they_are_listed(
    config: Path, provider: fake.FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config) == 0
    first, second = capsys.readouterr().out.splitlines()[-3:-1]
    assert all(word in first for word in ("trove-known", "volume", "shop", "deleted 2030-01-02"))
    assert all(word in second for word in ("trove-unknown", "volume", "bank", "unknown"))
    assert provider.everything() == ALL


@pytest.mark.usefixtures("known", "unknown")
@pytest.mark.parametrize("words", [["--delete"], ["--delete", "--unknown", "--yes"]])
@pytest.mark.parametrize("text", ["yes\n", "\n", "delete \n", ""])
def test_they_are_not_deleted_by_accident(
    config: Path,
    provider: fake.FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    text: str,
) -> None:
    answer(monkeypatch, text)
    assert run(config, *words) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert provider.everything() == ALL


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("words", [["--delete"], ["--delete", "--yes"]])
def test_they_are_deleted(
    config: Path,
    provider: fake.FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    answer(monkeypatch, "delete\n")
    assert run(config, *words) == 0
    assert "deleted trove-known" in capsys.readouterr().out
    assert provider.everything() == []


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize("words", [["--delete"], ["--delete", "--yes"]])
def test_what_the_database_has_never_known_is_left(
    config: Path,
    provider: fake.FakeProvider,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    """Without a question: there is nothing to confirm."""
    assert run(config, *words) == 1
    shown = capsys.readouterr()
    assert "1 left as they are: this metadata database has no record of them" in shown.err
    assert "deleted trove-unknown" not in shown.out
    assert provider.everything() == [UNKNOWN]


@pytest.mark.usefixtures("known", "unknown")
def test_the_known_ones_are_deleted_beside_it(
    config: Path, provider: fake.FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "--delete", "--yes") == 1
    shown = capsys.readouterr()
    assert "deleted trove-known" in shown.out
    assert "1 left as they are" in shown.err
    assert provider.everything() == [UNKNOWN]


@pytest.mark.usefixtures("known", "unknown")
def test_unknown_ones_are_deleted_once_confirmed(
    config: Path, provider: fake.FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "delete\n")
    assert run(config, "--delete", "--unknown") == 0
    assert provider.everything() == []


@pytest.mark.usefixtures("unknown")
def test_a_database_without_tables_is_refused(
    provider: fake.FakeProvider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = f"connection=sqlite:///{tmp_path}/other.sqlite"
    config = config_of(tmp_path, "provider=fake", "[database]", connection)
    assert run(config, "--delete", "--yes") == 1
    assert "the metadata database is at revision none" in capsys.readouterr().err
    assert provider.everything() == [UNKNOWN]
