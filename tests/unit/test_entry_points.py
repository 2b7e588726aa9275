"""Objects and sources of packages elsewhere, as installers leave them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.packages import install
from trove.entry_points import failure_of, loaded, sources

GROUP = "trove.tests"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that a test imports are not there for the next one."""
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def make_package(place: Path, name: str, source: str = "THING = 1") -> Path:
    folder = place / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(source)
    return folder


def test_there_may_be_none() -> None:
    assert loaded(GROUP) == {}
    assert list(sources(GROUP)) == []


def test_objects_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "brought")
    install(tmp_path, monkeypatch, GROUP, one="brought:THING", whole="brought")
    found = loaded(GROUP)
    assert found["one"] == 1
    assert found["whole"].THING == 1


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise OSError('no library')", "OSError: no library"),
        ("THING = 1 / 0", "ZeroDivisionError"),
        ("OTHER = 1", "AttributeError: module 'brought' has no attribute 'THING'"),
    ],
)
def test_a_broken_one_is_named_and_the_others_are_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    source: str,
    cause: str,
) -> None:
    make_package(tmp_path, "brought", source)
    install(tmp_path, monkeypatch, GROUP, bad="brought:THING", good="json:dumps")
    assert list(loaded(GROUP)) == ["good"]
    assert "the entry point bad = brought:THING (trove.tests) of other is left out" in caplog.text
    assert cause in caplog.text
    assert failure_of(GROUP, "bad").startswith(cause)
    assert failure_of(GROUP, "good") == failure_of(GROUP, "missing") == ""


def test_sources_of_editable_packages_are_found_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their metadata is in one place, their source in another that a `.pth` file names."""
    folder = make_package(tmp_path / "checkout" / "src", "brought", "raise SystemExit")
    single = tmp_path / "checkout" / "src" / "alone.py"
    single.write_text("raise SystemExit")
    entries = {"deep": "brought.inner.deeper:THING", "alone": "alone:THING"}
    install(tmp_path / "site", monkeypatch, GROUP, **entries)
    monkeypatch.syspath_prepend(str(folder.parent))
    assert set(sources(GROUP)) == {folder, single}
    assert list(sources(GROUP, "alone")) == [single]
    assert list(sources(GROUP, "missing")) == []


def test_what_has_no_source_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"built_in": "sys:path", "absent": "no_such_module:THING", "none": "__main__:THING"}
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    install(tmp_path, monkeypatch, GROUP, **entries)
    assert list(sources(GROUP)) == []
