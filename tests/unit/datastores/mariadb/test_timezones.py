"""The machine's time zones, as MariaDB is to have them, against Python's reading of them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.datastores.mariadb import timezones
from trove.datastores.mariadb.timezones import DIRECTORY, Zone, statements_of, zone_in

if not (DIRECTORY / "UTC").is_file():
    pytest.skip("this machine has no time zones", allow_module_level=True)

NAMES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
LAST = int(datetime(2037, 12, 31, tzinfo=UTC).timestamp())
"""The files list the changes up to here; later ones follow from a rule in them."""


def seconds_east(zone: Zone, at: int) -> int:
    """As the engine finds it."""
    before = [kind for time, kind in zone.changes if time <= at]
    return zone.kinds[before[-1] if before else 0][0]


@given(name=st.sampled_from(NAMES), at=st.integers(0, LAST))
def test_every_time_since_1970_is_where_it_should_be(name: str, at: int) -> None:
    zone = zone_in((DIRECTORY / name).read_bytes())
    expected = datetime.fromtimestamp(at, ZoneInfo(name)).utcoffset()
    assert expected is not None
    assert seconds_east(zone, at) == expected.total_seconds()


def test_the_statements_fit_the_engines_bootstrap() -> None:
    text = statements_of()
    for table in timezones.COLUMNS:
        assert f"INSERT INTO mysql.{table} (" in text
    assert all(len(statement) < 60_000 for statement in text.split(";\n"))
    assert "'Europe/Berlin'" in text
    assert "posix/" not in text


def test_all_tables_are_locked_while_they_are_filled() -> None:
    """Without, filling them takes about half as long as the rest of the bootstrap."""
    first, *inserts, last, rest = statements_of().split(";\n")
    assert first.startswith("LOCK TABLES ")
    assert {f"mysql.{table} WRITE" for table in timezones.COLUMNS} == set(
        first.removeprefix("LOCK TABLES ").split(", ")
    )
    assert all(statement.startswith("INSERT INTO mysql.time_zone") for statement in inserts)
    assert (last, rest) == ("UNLOCK TABLES", "")


def test_names_of_the_same_zone_share_its_data(tmp_path: Path) -> None:
    for name in ("One", "Two"):
        shutil.copy(DIRECTORY / "Europe/Berlin", tmp_path / name)
    for name in ("it's", "right", "localtime"):
        shutil.copy(DIRECTORY / "UTC", tmp_path / name)
    (tmp_path / "zone.tab").write_text("# not a zone\n")
    (tmp_path / "Cut").write_bytes((DIRECTORY / "UTC").read_bytes()[:60])
    text = statements_of(tmp_path)
    assert "VALUES ('One',1),\n('Two',1);" in text
    assert "(1,'N');" in text
    assert "'it's'" not in text
    assert "Cut" not in text


def test_a_machine_without_time_zones(tmp_path: Path) -> None:
    assert statements_of(tmp_path / "none") == ""
