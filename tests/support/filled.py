"""Tables with as many rows as are wanted, made by the database itself within seconds."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, text

from trove.db import Database, new_id
from trove.models import Datastore, DatastoreVersion

PROJECT = "bench"
AT_ONCE = 100_000
"""Rows of one statement: a driver waits a minute for it."""

Columns = Mapping[str, str]
"""SQL for each column; `i` is the number of the row, from 1."""


def add_version(database: Database) -> str:
    """The id of a datastore version that instances may have: one that is there, or another."""
    with database.begin() as session:
        if known := session.scalar(select(DatastoreVersion.id).limit(1)):
            return known
        datastore = Datastore(id=new_id(), name="postgresql")
        version = DatastoreVersion(
            id=new_id(), datastore=datastore, name="15", number="15.20", manager="postgresql"
        )
        session.add_all([datastore, version])
    return version.id


def add_instances(database: Database, count: int, *, server: bool = True, age: int = 0) -> None:
    """Instances that are ACTIVE, each with its create operation and a report of its agent.

    `age` is the number of days since the newest was made.
    """
    sql = Sql(database.engine.dialect.name)
    version = add_version(database)
    instance = sql.id("aa")
    made = sql.ago("i", age)
    columns = {
        "id": instance,
        "project_id": f"'{PROJECT}'",
        "name": "'db'",
        "datastore_version_id": f"'{version}'",
        "flavor_id": "'2'",
        "memory": "512",
        "vcpus": "1",
        "volume_size": "1",
        "nics": "'[]'",
        "access": "'{}'",
        "unenforced": "'[]'",
        "server_id": instance if server else "NULL",
        "last_operation_id": sql.id("bb"),
        "created_at": made,
        "updated_at": made,
    }
    add_rows(database, "instances", count, columns)
    add_operations(database, count, of_instances=True, age=age)
    agents = {
        "instance_id": instance,
        "engine_state": "'running'",
        "accounts": "'{}'",
        "details": "'{}'",
        "reported_at": sql.ago("0", -1),
    }
    add_rows(database, "agents", count, agents)


def add_operations(
    database: Database, count: int, *, of_instances: bool = False, age: int = 0
) -> None:
    """Ended operations; each is an instance's creation, or a restart of one of a thousand."""
    sql = Sql(database.engine.dialect.name)
    made = sql.ago("i", age)
    columns = {
        "id": sql.id("bb" if of_instances else "cc"),
        "workflow": "'instance.create'" if of_instances else "'instance.restart'",
        "subject_id": sql.id("aa") if of_instances else sql.id("aa", "1 + i % 1000"),
        "project_id": f"'{PROJECT}'",
        "args": "'{}'",
        "state": "'succeeded'",
        "step": "'datastore.prepare'" if of_instances else "'datastore.restart'",
        "lease_until": sql.ago("0", 0),
        **dict.fromkeys(("attempt", "progress", "wakeups"), "0"),
        "cancelled": "false",
        **dict.fromkeys(("step_since", "created_at", "updated_at"), made),
    }
    add_rows(database, "operations", count, columns)


def add_claims(database: Database) -> None:
    """What each operation had claimed: its subject."""
    chosen = "SELECT id, subject_id, 'exclusive', true FROM operations"
    with database.engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO claims (operation_id, resource, mode, released) {chosen}")
        )
    _analyze(database, "claims")


def add_events(database: Database, count: int, age: int = 0) -> None:
    """Of a thousand instances of the project; the newest has the highest id."""
    sql = Sql(database.engine.dialect.name)
    columns = {
        "kind": "'instance.restart.end'",
        "project_id": f"'{PROJECT}'",
        "subject_id": sql.id("aa", "1 + i % 1000"),
        "payload": "'{}'",
        "created_at": sql.ago(f"({count} - i)", age),
    }
    add_rows(database, "events", count, columns)


def add_rows(database: Database, table: str, count: int, columns: Columns) -> None:
    """Insert so many rows, and let the database gather its statistics, as it does by itself."""
    sql = Sql(database.engine.dialect.name)
    insert = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
    for first in range(1, count + 1, AT_ONCE):
        rows = sql.series(first, min(count, first + AT_ONCE - 1))
        with database.engine.begin() as connection:
            connection.execute(text(f"{insert} FROM {rows}"))
    _analyze(database, table)


def _analyze(database: Database, table: str) -> None:
    statement = Sql(database.engine.dialect.name).analyze(table)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


class Sql:
    """The few words in which the three databases differ."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def series(self, first: int, last: int) -> str:
        return {
            "postgresql": f"(SELECT i::bigint FROM generate_series({first}, {last}) g(i)) s",
            "mysql": f"(SELECT seq AS i FROM seq_{first}_to_{last}) s",
            "sqlite": f"(WITH RECURSIVE c(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM c"
            f" WHERE i < {last}) SELECT i FROM c) s",
        }[self.dialect]

    def id(self, prefix: str, number: str = "i") -> str:
        """One id for each number, in no order; `prefix` has two characters."""
        scattered = f"(({number}) * 2654435761) % 4294967296"
        return {
            "postgresql": f"'{prefix}' || lpad(({scattered})::text, 34, '0')",
            "mysql": f"concat('{prefix}', lpad({scattered}, 34, '0'))",
            "sqlite": f"'{prefix}' || printf('%034d', {scattered})",
        }[self.dialect]

    def ago(self, seconds: str, days: int) -> str:
        """A time so many seconds and days before now."""
        past = f"({days} * 86400 + {seconds})"
        return {
            "postgresql": f"now() - {past} * interval '1 second'",
            "mysql": f"utc_timestamp(6) - interval {past} second",
            "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', 'now',"
            f" printf('%+d seconds', -{past}))",
        }[self.dialect]

    def analyze(self, table: str) -> str:
        verb = "ANALYZE TABLE" if self.dialect == "mysql" else "ANALYZE"
        return f"{verb} {table}"
