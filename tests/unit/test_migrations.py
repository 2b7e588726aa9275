"""From an empty database to the schema of this release, on each of the three."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from sqlalchemy import Column, Integer, Table, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from trove import migrations
from trove.db import Base, Database
from trove.engine import Claim, ClaimRequest, Operation, holders_of
from trove.engine.claims import acquire, release
from trove.errors import Unavailable
from trove.models import Project, event


def test_upward_from_empty_gives_what_the_models_say(database_url: str) -> None:
    assert migrations.current(database_url) is None
    assert migrations.upgrade(database_url) == migrations.newest()
    assert migrations.current(database_url) == migrations.newest()
    assert migrations.differences(database_url) == []


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    migrations.upgrade(database_url)
    database = Database(database_url)
    with database.begin() as session:
        session.add(Project(id="p", name="kept"))
    assert migrations.upgrade(database_url) == migrations.newest()
    with database.begin() as session:
        assert session.scalars(select(Project.name)).all() == ["kept"]
    database.dispose()


def test_only_its_owner_reads_a_file_of_metadata(tmp_path: Path) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path}/own.sqlite?timeout=5")
    [file] = tmp_path.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("own.sqlite", 0o600)
    with pytest.raises(OperationalError, match="unable to open"):
        migrations.upgrade(f"sqlite:///{tmp_path}/nowhere/own.sqlite")


def test_services_that_start_at_once_upgrade_once(database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(migrations.upgrade, [database_url] * 4))
    assert found == {migrations.newest()}
    assert migrations.differences(database_url) == []


def test_an_upgrade_that_was_killed_is_begun_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets a table or an index further than the last, until one comes to its end."""
    for count in itertools.count():
        left = iter(range(count))
        with monkeypatch.context() as patch:
            for step in ("create_table", "create_index", "add_column", "batch_alter_table"):
                patch.setattr(op, step, killed_after(left, getattr(op, step)))
            with suppress(InterruptedError):
                migrations.upgrade(database_url)
                break
    assert count > 5
    assert migrations.differences(database_url) == []


def killed_after(left: Iterator[int], step: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **options: Any) -> Any:
        if next(left, None) is None:
            raise InterruptedError
        return step(*args, **options)

    return run


FIRST = """INSERT INTO operations (id, workflow, subject_id, active_subject_id, args, state, step,
 step_since, attempt, progress, cancelled, wakeups, lease_until, created_at, updated_at) VALUES
 (:id, 'instance.restart', :subject, :active, :args, :state, 'datastore.restart', '2026-11-28',
 1, 0, FALSE, 0, '2026-11-28', '2026-11-28', '2026-11-28')"""


def test_operations_of_the_first_release_go_on(database_url: str) -> None:
    """What is active has claimed its subject; secrets and turning points have moved."""
    assert migrations.upgrade(database_url, "0001") == "0001"
    database = Database(database_url)
    rows = {
        "active": ("s-1", "s-1", "running", {"sealed": "x", "size": 3}),
        "failed": ("s-1", None, "failed", {"turned_back_at": "volume.grow"}),
        "superseded": ("s-2", None, "superseded", {}),
    }
    with database.engine.begin() as connection:
        for id_, (subject, active, state, args) in rows.items():
            values = {"id": id_, "subject": subject, "active": active, "state": state}
            connection.execute(text(FIRST), values | {"args": json.dumps(args)})
    migrations.upgrade(database_url)
    with database.begin() as session:
        found = {row.id: row for row in session.scalars(select(Operation))}
        assert (found["active"].args, found["active"].sealed) == ({"size": 3}, "x")
        assert (found["failed"].args, found["failed"].turned_back_at) == ({}, "volume.grow")
        assert [holder.id for holder in holders_of(session, "s-1")] == ["active"]
        old = session.scalars(select(Claim).where(Claim.operation_id == "superseded")).one()
        assert (old.resource, old.released) == ("s-2", True)
        release(session, ["active"])
        acquire(session, "next", [ClaimRequest("s-1")])
    database.dispose()


@pytest.mark.engine
def test_a_lock_that_is_never_released_is_reported(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PATIENCE", 0)
    holder = Database(mariadb_url)
    with holder.engine.begin() as connection:
        connection.execute(text("SELECT GET_LOCK('trove.migrations', 0)"))
        with pytest.raises(Unavailable, match="Another process"):
            migrations.upgrade(mariadb_url)
    holder.dispose()
    assert migrations.upgrade(mariadb_url) == migrations.newest()


def test_a_model_that_has_gone_ahead_is_seen(database_url: str) -> None:
    migrations.upgrade(database_url)
    ahead = Table("ahead_of_the_migrations", Base.metadata, Column("id", Integer))
    try:
        assert [change[0] for change in migrations.differences(database_url)] == ["add_table"]
    finally:
        Base.metadata.remove(ahead)


def test_the_migrated_schema_has_every_rule_of_the_models(database_url: str) -> None:
    """Unique constraints and foreign keys too, by what the databases themselves say."""
    migrations.upgrade(database_url)
    database = Database(database_url)
    found = inspect(database.engine)
    for table in Base.metadata.tables.values():
        keys = {key["referred_table"] for key in found.get_foreign_keys(table.name)}
        assert keys == {key.column.table.name for key in table.foreign_keys}, table.name
        assert set(found.get_pk_constraint(table.name)["constrained_columns"]) == {
            column.name for column in table.primary_key
        }
    database.dispose()


def test_names_that_differ_in_case_differ(database_url: str) -> None:
    migrations.upgrade(database_url)
    database = Database(database_url)
    with database.begin() as session:
        session.add_all([Project(id="1", name="Shop"), Project(id="2", name="shop")])
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(Project(id="3", name="shop"))
    database.dispose()


def test_events_are_counted_by_the_database(database_url: str) -> None:
    migrations.upgrade(database_url)
    database = Database(database_url)
    with database.begin() as session:
        for n in range(3):
            event.record_event(session, "instance.create.start", subject_id=str(n))
    with database.begin() as session:
        ids = session.scalars(text("SELECT id FROM events ORDER BY subject_id")).all()
    assert ids == sorted(ids)
    assert len(set(ids)) == 3
    database.dispose()
