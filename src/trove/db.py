"""The metadata database: one declarative base, one way to make a session, one clock.

Law: every transaction is READ COMMITTED, on SQLite too. There a transaction acquires the write
lock with its first write and not before, so that readers and steps at work block no one else.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    String,
    Text,
    TypeDecorator,
    create_engine,
    event,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker
from sqlalchemy.sql.functions import FunctionElement

from trove.errors import Failed, Invalid
from trove.notifications import Notifications, discard

log = logging.getLogger(__name__)

T = TypeVar("T")

MYSQL_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
"""Of every table: names that differ in case differ there too, as in the other databases."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CONNECTING = 10
"""Seconds that a server may take to accept a connection."""
SILENCE = 60
"""Seconds without an answer until a connection is given up; InnoDB waits less for a lock."""
PATIENCE = 60.0
"""Seconds that a service that starts waits for the server, which a reboot may start later."""
PAUSE = 0.5
"""Seconds between two attempts."""
SQLITE_TIMEOUT = 30.0
"""Seconds that a connection waits for another one's lock on the file."""
SQLITE_PAUSE = 0.01

DEADLOCKS = frozenset({"40P01", 1213})
"""PostgreSQL's and MariaDB's codes for the transaction that they rolled back in a deadlock."""
FULL = frozenset({"53100", 1021, 1114, sqlite3.SQLITE_FULL})
"""PostgreSQL's, MariaDB's and SQLite's codes for a full disk."""

SERVED = ("sqlite", "postgresql", "mysql", "mariadb")
URL_FIELD = "[database] connection"
DRIVERS = {
    **dict.fromkeys(("mysql", "mariadb", "mariadb+pymysql"), "mysql+pymysql"),
    **dict.fromkeys(("postgres", "postgresql"), "postgresql+psycopg"),
}
"""Those that come with Trove."""

Id = Annotated[str, mapped_column(String(36))]
Name = Annotated[str, mapped_column(String(255))]
Word = Annotated[str, mapped_column(String(64))]
Prose = Annotated[str, mapped_column(Text)]
JsonObject = dict[str, Any]
"""What a JSON column holds where its shape is not one struct's."""


class Instant(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond, the same in every database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """SQLite's text in one call: a page of instances has a hundred of them."""
        if dialect.name == "sqlite":
            return _time_of
        return super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


class Base(DeclarativeBase):
    type_annotation_map = {datetime: Instant, JsonObject: JSON, list[str]: JSON}


class DatabaseNow(FunctionElement[datetime]):
    """The time by the database's own clock."""

    type = Instant()
    inherit_cache = True


@compiles(DatabaseNow, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


@compiles(DatabaseNow, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:
    return "clock_timestamp()"


@compiles(DatabaseNow, "mysql", "mariadb")
def _mysql_now(*_: Any, **__: Any) -> str:
    return "utc_timestamp(6)"


Reader = Session | Connection
"""What executes a SELECT; a connection costs less than a session."""


class Clock(Protocol):
    """Returns the time; tests have their own."""

    def now(self, session: Reader) -> datetime: ...

    def given(self, database_time: datetime) -> datetime:
        """The time for a statement that has read the database's clock along with its rows."""
        ...

    def stamp(self) -> Any:
        """The time as a value of an INSERT or UPDATE, without a statement of its own."""


NOW = select(DatabaseNow())


class DatabaseClock:
    """The database's clock: the only one that all processes share."""

    def now(self, session: Reader) -> datetime:
        return session.execute(NOW).scalar_one()

    def given(self, database_time: datetime) -> datetime:
        return database_time

    def stamp(self) -> Any:
        return DatabaseNow()


class Database:
    """One metadata database, given by its SQLAlchemy URL.

    `silence` is how many seconds MariaDB may take over one statement; PostgreSQL may take any
    time over one as long as its machine can be reached.
    """

    def __init__(self, url: str, *, pool_size: int = 10, silence: int = SILENCE) -> None:
        self.engine = _engine_of(url, pool_size, silence)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self.notifications = Notifications(self.engine)
        event.listen(self._sessions, "before_commit", self.notifications.publish)
        event.listen(self._sessions, "after_commit", self.notifications.deliver)
        event.listen(self._sessions, "after_soft_rollback", discard)

    @property
    def skips_locked(self) -> bool:
        """Whether it understands FOR UPDATE SKIP LOCKED; known after the first connection."""
        dialect: Any = self.engine.dialect
        if dialect.name != "mysql":
            return bool(dialect.name == "postgresql")
        since = (10, 6) if dialect.is_mariadb else (8,)
        return (dialect.server_version_info or ()) >= since

    @property
    def is_embedded(self) -> bool:
        """Whether it runs within this process: then a short read waits for no other one."""
        return self.engine.dialect.name == "sqlite"

    @property
    def orders_by_null(self) -> bool:
        """Whether ORDER BY must name a column that is NULL in all rows, for an index that begins
        with it to be used."""
        return self.engine.dialect.name == "postgresql"

    def session(self) -> Session:
        """A session that the caller closes."""
        return self._sessions()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session that commits at the end of the block, or rolls back on any error."""
        with self._sessions.begin() as session:
            yield session

    def create_all(self) -> None:
        """Make the tables without migrations: for tests."""
        for table in Base.metadata.tables.values():
            table.kwargs.update(MYSQL_OPTIONS)
        Base.metadata.create_all(self.engine)

    def dispose(self) -> None:
        self.notifications.stop()
        self.engine.dispose()


def is_conflict(error: DBAPIError) -> bool:
    """Whether the transaction lost to another one, so that a second attempt may succeed.

    The other one inserted a unique value first, or the database ended a deadlock.
    """
    if isinstance(error, IntegrityError):
        return True
    return not DEADLOCKS.isdisjoint(_codes_of(error))


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database's disk is full."""
    return not FULL.isdisjoint(_codes_of(error))


def _codes_of(error: DBAPIError) -> set[object]:
    own = (getattr(error.orig, name, None) for name in ("sqlstate", "sqlite_errorcode"))
    return {*own, *getattr(error.orig, "args", ())[:1]}


def url_from(text: str) -> URL:
    """With the driver that is used; raises Invalid, which shows nothing of the URL, for a database
    that is not served."""
    try:
        url = make_url(text)
        url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() not in SERVED:
            raise Invalid(f"must begin with {', '.join(SERVED)}", field=URL_FIELD)
        # A driver that is not installed is found here, not by the first request.
        url.get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as error:
        raise Invalid(f"cannot be used: {error}", field=URL_FIELD) from None
    return url


def wait_until_available(url: str, work: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """The result of `work`, which is repeated until the server at `url` is available.

    Raises Failed when it is not within `patience` seconds. A file exists or does not.
    """
    if url_from(url).get_backend_name() == "sqlite":
        return work()
    deadline, logged = time.monotonic() + patience, ""
    while True:
        try:
            return work()
        except OperationalError as error:
            reason = str(error.orig)
            if time.monotonic() >= deadline:
                raise Failed(f"the metadata database cannot be used: {reason}") from error
        if reason != logged:
            log.warning("waiting for the metadata database, %.0f s at most: %s", patience, reason)
            logged = reason
        time.sleep(PAUSE)


def insert_if_absent(session: Session, table: type[Base], values: Mapping[str, Any]) -> None:
    """Insert a row unless its primary key is there; waits for another transaction's insert.

    A plain INSERT that fails would end PostgreSQL's transaction, and leave a shared lock behind in
    InnoDB: two of these are a deadlock.
    """
    dialect = session.get_bind().dialect.name
    if dialect == "mysql":
        row = mysql.insert(table).values(values)
        first = next(iter(values))
        session.execute(row.on_duplicate_key_update({first: row.inserted[first]}))
        return
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    session.execute(insert(table).values(values).on_conflict_do_nothing())


def utcnow() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def new_hex_id() -> str:
    """An id as Keystone makes them: 32 hex digits, no dashes."""
    return uuid.uuid4().hex


def _engine_of(url: str, pool_size: int, silence: int) -> Engine:
    parsed = url_from(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(url, pool_size)
    deadlines = _deadlines_of(parsed.drivername, silence)
    return create_engine(
        parsed,
        connect_args={name: n for name, n in deadlines.items() if name not in parsed.query},
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        json_deserializer=orjson.loads,
    )


def _deadlines_of(drivername: str, silence: int) -> dict[str, int]:
    """Timeouts, so that a driver does not wait forever for a server that vanished.

    PyMySQL ignores `connect_timeout` once the socket is open: the greeting may take `silence`.
    """
    probes = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    known = {
        "postgresql+psycopg": probes | {"tcp_user_timeout": SILENCE * 1000},
        "mysql+pymysql": {"read_timeout": silence, "write_timeout": silence},
    }
    return known[drivername] | {"connect_timeout": CONNECTING} if drivername in known else {}


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    options = {"isolation_level": None, "check_same_thread": False}
    patience = float(str(make_url(url).query.get("timeout", SQLITE_TIMEOUT)))
    engine = create_engine(
        url,
        connect_args=options | {"timeout": patience},
        pool_size=pool_size,
        max_overflow=50,
        hide_parameters=True,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        _ensure_write_ahead_log(connection, patience)
        for pragma in ("foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "before_cursor_execute")
    def _lock_before_the_first_write(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        raw = connection.connection.dbapi_connection
        reads = statement.lstrip()[:6].upper() in {"SELECT", "PRAGMA"}
        if reads or raw.in_transaction:
            return
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error

    return engine


def _ensure_write_ahead_log(connection: sqlite3.Connection, patience: float) -> None:
    # SQLite's own timeout does not apply here: the switch reads the file's header first, and a
    # connection that has read never waits for one that writes, lest two wait for each other.
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(SQLITE_PAUSE)
