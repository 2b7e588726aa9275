"""The metadata database behaves the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier, Timer
from typing import Any

import pytest
from psycopg.errors import DiskFull
from sqlalchemy import create_mock_engine, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.support.metadata import own_address
from tests.support.waiting import until
from trove import db, migrations
from trove.db import (
    EPOCH,
    Base,
    Database,
    DatabaseClock,
    is_conflict,
    is_disk_full,
    new_hex_id,
    new_id,
    utcnow,
    wait_until_available,
)
from trove.engine import Operation
from trove.errors import Failed, Invalid
from trove.models import Project

MARGIN = timedelta(seconds=5)


def an_operation(**fields: object) -> Operation:
    return Operation(workflow="w", subject_id=new_id(), step="s", **fields)


def test_the_clock_is_the_databases_and_in_utc(database: Database) -> None:
    with database.begin() as session:
        first = DatabaseClock().now(session)
        until(lambda: DatabaseClock().now(session) > first)
    assert abs(datetime.now(UTC) - first) < MARGIN
    assert first.utcoffset() == timedelta(0)


def test_instants_come_back_to_the_microsecond_in_utc(database: Database) -> None:
    east = timezone(timedelta(hours=9))
    moment = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=east)
    with database.begin() as session:
        session.add(an_operation(id="a", due_at=moment, step_since=EPOCH))
        session.add(an_operation(id="b"))
        session.flush()
        session.execute(text("UPDATE operations SET due_at = NULL WHERE id = 'b'"))
    with database.begin() as session:
        found = session.get_one(Operation, "a")
        assert (found.due_at, found.step_since) == (moment, EPOCH)
        assert found.due_at is not None and found.due_at.tzinfo is UTC
        assert session.get_one(Operation, "b").due_at is None
        later = select(Operation.id).where(Operation.due_at > moment - timedelta(microseconds=1))
        assert session.scalars(later).all() == ["a"]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        session.add(an_operation(id="a"))
        session.flush()
        raise ZeroDivisionError
    with database.session() as session:
        assert session.get(Operation, "a") is None


def test_transactions_read_what_others_commit_meanwhile(database: Database) -> None:
    with database.session() as reader, database.begin() as writer:
        count = select(Operation.id)
        assert reader.scalars(count).all() == []
        writer.add(an_operation(id="a"))
        writer.flush()
        assert reader.scalars(count).all() == []
        writer.commit()
        assert reader.scalars(count).all() == ["a"]


def test_a_guarded_update_counts_the_rows_it_matched(database: Database) -> None:
    """And not those that it changed, which is MySQL's habit."""
    with database.begin() as session:
        session.add(an_operation(id="a", wakeups=1))
    with database.begin() as session:
        same = text("UPDATE operations SET wakeups = 1 WHERE id = 'a'")
        assert session.execute(same).rowcount == 1  # type: ignore[attr-defined]


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_one_of_two_that_wait_for_each_other_is_rolled_back_with_a_conflict(
    engine: str, request: pytest.FixtureRequest
) -> None:
    database = Database(request.getfixturevalue(f"{engine}_url"))
    database.create_all()
    with database.begin() as session:
        session.add_all([an_operation(id="a"), an_operation(id="b")])
    both_have_one = Barrier(2)

    def lock(first: str, second: str) -> bool:
        change = "UPDATE operations SET wakeups = wakeups + 1 WHERE id = :id"
        try:
            with database.begin() as session:
                session.execute(text(change), {"id": first})
                both_have_one.wait(20)
                session.execute(text(change), {"id": second})
        except DBAPIError as error:
            return is_conflict(error)
        return False

    with ThreadPoolExecutor(2) as threads:
        conflicts = list(threads.map(lock, "ab", "ba"))
    assert sorted(conflicts) == [False, True]
    database.dispose()


def test_the_second_insert_of_a_unique_value_conflicts(database: Database) -> None:
    with database.begin() as session:
        session.add(an_operation(id="a"))
    with pytest.raises(DBAPIError) as second, database.begin() as session:
        session.add(an_operation(id="a"))
    assert is_conflict(second.value)
    with pytest.raises(DBAPIError) as wrong, database.begin() as session:
        session.execute(text("SELECT nothing FROM nowhere"))
    assert not is_conflict(wrong.value)


def test_the_first_connection_waits_for_a_process_that_writes(tmp_path: Path) -> None:
    """SQLite itself raises at once where the file has no write-ahead log yet."""
    path = tmp_path / "new.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    impatient = Database(f"sqlite:///{path}?timeout=0.05")
    with pytest.raises(OperationalError, match="locked"), impatient.begin() as session:
        session.execute(text("SELECT 1"))
    end = Timer(0.1, other.execute, ("COMMIT",))
    end.start()
    database = Database(f"sqlite:///{path}")
    with database.begin() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    end.join()
    other.close()
    database.dispose()
    impatient.dispose()


def test_savepoints_undo_their_own_part(database: Database) -> None:
    with database.begin() as session:
        session.add(an_operation(id="a"))
        session.flush()
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            session.add(an_operation(id="b"))
            session.flush()
            raise ZeroDivisionError
    with database.begin() as session:
        assert session.scalars(select(Operation.id)).all() == ["a"]


def test_skip_locked_is_used_where_it_exists(database: Database, database_url: str) -> None:
    with database.begin() as session:
        DatabaseClock().now(session)
    assert database.skips_locked is not database_url.startswith("sqlite")


@pytest.mark.parametrize(
    ("url", "version", "maria", "expected"),
    [
        ("mysql://h/d", (10, 5, 23), True, False),
        ("mariadb://h/d", (10, 6, 0), True, True),
        ("mysql+pymysql://h/d", (5, 7), False, False),
        ("mysql://h/d", (8, 0, 36), False, True),
        ("mysql://h/d", None, False, False),
    ],
)
def test_old_servers_do_not_skip_locked_rows(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    version: tuple[int, ...] | None,
    maria: bool,
    expected: bool,
) -> None:
    database = Database(url)
    monkeypatch.setattr(database.engine.dialect, "server_version_info", version)
    monkeypatch.setattr(database.engine.dialect, "is_mariadb", maria, raising=False)
    assert database.skips_locked is expected


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://h/d", "postgresql+psycopg"),
        ("mysql://h/d", "mysql+pymysql"),
        ("mariadb://h/d", "mysql+pymysql"),
        ("mariadb+pymysql://h/d", "mysql+pymysql"),
        ("sqlite:///x.sqlite", "sqlite"),
    ],
)
def test_short_urls_get_the_drivers_that_we_ship(url: str, driver: str) -> None:
    assert Database(url).engine.url.drivername == driver


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Where the kernel accepts connections that are never answered."""
    with socket.create_server((own_address(), 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_never_answers_is_given_up(
    scheme: str, silent_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "CONNECTING", 2)
    database = Database(f"{scheme}://u:p@{silent_address}/d", silence=2)
    with pytest.raises(OperationalError, match="timeout|timed out"), database.begin() as session:
        DatabaseClock().now(session)


@pytest.mark.engine
def test_a_statement_that_mariadb_never_answers_is_given_up(mariadb_url: str) -> None:
    database = Database(mariadb_url, silence=1)
    with pytest.raises(OperationalError, match="timed out") as caught, database.begin() as session:
        session.execute(select(func.sleep(30)))
    assert caught.value.connection_invalidated
    with database.begin() as session:
        assert abs(datetime.now(UTC) - DatabaseClock().now(session)) < MARGIN
    database.dispose()


@pytest.mark.engine
def test_a_connection_to_postgresql_notices_a_machine_that_is_gone(postgresql_url: str) -> None:
    expected = {
        "connect_timeout": "10",
        "tcp_user_timeout": "60000",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
    }
    assert expected.items() <= parameters_of(postgresql_url).items()
    chosen = parameters_of(f"{postgresql_url}&connect_timeout=7")
    assert (chosen["connect_timeout"], chosen["tcp_user_timeout"]) == ("7", "60000")


def parameters_of(url: str) -> dict[str, str]:
    """With what a connection to PostgreSQL was made."""
    database = Database(url)
    with database.begin() as session:
        made: Any = session.connection().connection.dbapi_connection
        parameters: dict[str, str] = made.info.get_parameters()
    database.dispose()
    return parameters


def test_sqlite_writers_wait_and_then_give_up_as_other_databases_do(sqlite_url: str) -> None:
    one, other = Database(sqlite_url), Database(f"{sqlite_url}?timeout=0.05")
    one.create_all()
    with one.begin() as session:
        session.add(an_operation(id="a"))
        session.flush()
        with pytest.raises(OperationalError, match="locked"), other.begin() as late:
            late.execute(text("DELETE FROM operations"))
        with other.begin() as reader:
            assert reader.scalars(select(Operation.id)).all() == []
    one.dispose()
    other.dispose()


def test_statements_that_fail_do_not_show_their_parameters(database: Database) -> None:
    with pytest.raises(Exception, match="hide_parameters") as caught, database.begin() as session:
        session.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "s3cr3t"})
    assert "s3cr3t" not in str(caught.value)


def test_tables_are_described_for_every_database(tmp_path: Path) -> None:
    for url in ("sqlite://", "postgresql+psycopg://", "mysql+pymysql://"):
        statements: list[str] = []
        mock = create_mock_engine(url, lambda ddl, *_, s=statements: s.append(str(ddl)))
        Base.metadata.create_all(mock, checkfirst=False)
        assert len(statements) >= len(Base.metadata.tables)


def test_a_full_disk_is_known(sqlite_url: str) -> None:
    opened = Database(sqlite_url)
    opened.create_all()
    with pytest.raises(OperationalError) as full, opened.begin() as session:
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.add_all(an_operation(id=str(n), error="x" * 4000) for n in range(20))
    opened.dispose()
    assert is_disk_full(full.value)
    assert is_disk_full(OperationalError("", None, DiskFull()))
    assert is_disk_full(OperationalError("", None, RuntimeError(1114, "The table is full")))
    assert not is_disk_full(OperationalError("", None, RuntimeError("no connection")))


def test_ids() -> None:
    assert len(new_id()) == 36
    assert len(new_hex_id()) == 32
    assert Project.__table__.c.id.default is not None
    assert utcnow().tzinfo is UTC


class Server:
    """A server that refuses the first few connections."""

    def __init__(self, times: int) -> None:
        self.closed = times
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.closed:
            raise OperationalError("SELECT 1", None, RuntimeError(f"closed {self.attempts // 2}"))
        return "in"


def test_a_service_that_starts_waits_for_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(db, "PAUSE", 0.001)
    server = Server(times=3)
    assert wait_until_available("postgresql://nowhere/", server) == "in"
    assert server.attempts == 4
    # Each reason once, however often it is met.
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "closed 0",
        "closed 1",
    ]


def test_the_wait_for_a_server_ends() -> None:
    server = Server(times=3)
    with pytest.raises(Failed, match="the metadata database cannot be used: closed 0"):
        wait_until_available("mysql://nowhere/", server, patience=0)
    assert server.attempts == 1


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle://x:S3CRET@h/y", "mysql+nodriver://x:S3CRET@h/y", "a://h:port/"]
)
def test_a_database_that_is_not_served(url: str) -> None:
    for use in (Database, migrations.current, lambda url: wait_until_available(url, Server(0))):
        with pytest.raises(Invalid, match=r"\[database\] connection: ") as refusal:
            use(url)
        assert "S3CRET" not in refusal.value.message


def test_there_is_no_wait_for_a_file() -> None:
    server = Server(times=3)
    with pytest.raises(OperationalError):
        wait_until_available("sqlite:///nowhere", server)
    assert server.attempts == 1
