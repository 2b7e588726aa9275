"""What the first release wrote is there after every later migration, in each of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, select

from trove import migrations
from trove.db import Base, Database

FIRST = "0001"
REVISIONS = [f"{number:04}" for number in range(1, int(migrations.newest()) + 1)]
ROWS = 3
REFERENCES = {"id", "replica_of"}
SPARSE = 2
"""The number of the row that has what it must have, and nothing else."""
MOVED = {"operations": {"active_subject_id"}}
"""Columns of which later releases keep the content elsewhere."""
WORDS = {
    "state": "failed",
    "engine_state": "running",
    "roles": '["member"]',
    "nics": "[]",
    "unenforced": "[]",
}

Row = Mapping[str, Any]


def columns_of(connection: Connection, table: str) -> list[Row]:
    found = connection.exec_driver_sql(f"PRAGMA table_info({table})")
    return [dict(row) for row in found.mappings()]


def tables_of(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    return sorted(set(found.scalars()) - {"alembic_version", "sqlite_sequence"})


def value_of(table: str, column: Row, number: int) -> Any:
    """One that differs from row to row, and that the column's type can have."""
    name, kind = column["name"], column["type"].upper()
    if number == SPARSE and not column["notnull"] and not column["pk"]:
        return None
    if name in WORDS:
        return WORDS[name]
    # Rows of the same number refer to each other.
    refers = name in REFERENCES or name.endswith("_id")
    text = f"row-{number}" if refers else f"{name[:20]}-{number}"
    return next((value for words, value in values_of(number) if words.search(kind)), text)


def values_of(number: int) -> list[tuple[re.Pattern[str], Any]]:
    """What columns have whose type is called like this."""
    return [
        (re.compile("JSON"), "{}"),
        (re.compile("DATE|INSTANT"), f"2026-11-2{number} 12:00:00.000000"),
        (re.compile("BOOL"), number % 2),
        (re.compile("INT|FLOAT|DOUBLE|REAL|NUMERIC"), number + 1),
        (re.compile("BLOB"), bytes([number])),
    ]


def fill(connection: Connection) -> None:
    """Rows in each table."""
    for table in tables_of(connection):
        columns = columns_of(connection, table)
        names = ", ".join(f'"{column["name"]}"' for column in columns)
        marks = ", ".join("?" for _ in columns)
        for number in range(ROWS):
            values = tuple(value_of(table, column, number) for column in columns)
            connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def content_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in one order."""
    found = {}
    for table in tables_of(connection):
        rows = connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()
        found[table] = sorted(
            (dict(row) for row in rows), key=lambda row: repr(sorted(row.items()))
        )
    return found


def without(rows: list[dict[str, Any]], keys: set[str]) -> list[list[tuple[str, Any]]]:
    return sorted(
        (sorted((k, v) for k, v in row.items() if k not in keys) for row in rows), key=repr
    )


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """As the first release left it."""
    migrations.upgrade(sqlite_url, FIRST)
    # Without the product's own settings of a connection: rows come before what they refer to.
    plain = create_engine(sqlite_url)
    with plain.begin() as connection:
        fill(connection)
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    plain.dispose()
    opened = Database(sqlite_url)
    yield opened
    opened.dispose()


def read(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.engine.connect() as connection:
        return content_of(connection)


def test_every_table_of_the_first_release_has_rows(database: Database) -> None:
    content = read(database)
    assert {table: len(rows) for table, rows in content.items()} == dict.fromkeys(content, ROWS)
    assert {"agents", "events", "instances", "operations", "tasks", "users"} <= set(content)


def test_no_migration_loses_or_changes_a_row(database: Database, sqlite_url: str) -> None:
    before = read(database)
    for revision in REVISIONS:
        assert migrations.upgrade(sqlite_url, revision) == revision
        after = read(database)
        assert set(before) <= set(after)
        for table, rows in before.items():
            gone = set(rows[0]) - set(after[table][0])
            new = set(after[table][0]) - set(rows[0])
            assert gone <= MOVED.get(table, set()), (revision, table)
            assert without(after[table], new) == without(rows, gone), (revision, table)


def test_one_upgrade_and_many_lead_to_the_same_rows(database: Database, sqlite_url: str) -> None:
    migrations.upgrade(sqlite_url)
    at_once = read(database)
    assert migrations.upgrade(sqlite_url) == migrations.newest()
    assert read(database) == at_once
    assert migrations.differences(sqlite_url) == []


def test_a_new_column_is_empty_in_old_rows(database: Database, sqlite_url: str) -> None:
    """A NOT NULL without a value could not be added to a table that has rows."""
    before = read(database)
    migrations.upgrade(sqlite_url)
    after = read(database)
    for table, rows in before.items():
        new = set(after[table][0]) - set(rows[0])
        values = {row[name] for row in after[table] for name in new}
        assert values <= {None, "{}", "[]", 0}, table


def test_the_models_read_every_row_of_the_first_release(
    database: Database, sqlite_url: str
) -> None:
    tables = set(read(database))
    migrations.upgrade(sqlite_url)
    models = [mapper.class_ for mapper in Base.registry.mappers]
    of_the_first = [model for model in models if model.__tablename__ in tables]
    assert {model.__tablename__ for model in of_the_first} == tables
    with database.session() as session:
        for model in of_the_first:
            rows = session.scalars(select(model)).all()
            assert len(rows) == ROWS, model.__tablename__


def test_claims_of_the_first_release_are_of_what_was_active(
    database: Database, sqlite_url: str
) -> None:
    with database.engine.begin() as connection:
        going = "UPDATE operations SET state = 'running' WHERE id = 'row-1'"
        connection.exec_driver_sql(going)
        ended = "UPDATE operations SET active_subject_id = NULL WHERE id != 'row-1'"
        connection.exec_driver_sql(ended)
    migrations.upgrade(sqlite_url)
    content = read(database)
    assert [(c["operation_id"], c["resource"], c["released"]) for c in content["claims"]] == [
        ("row-1", "row-1", 0)
    ]
    assert [(r["resource"], r["holder"]) for r in content["claimed_resources"]] == [
        ("row-1", "row-1")
    ]
