"""What a call reads in the metadata database, counted by the database itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from trove.db import Database

Statement = tuple[str, Any]


def statements_of(database: Database, call: Callable[[], object]) -> list[Statement]:
    """What is executed meanwhile, with its parameters."""
    seen: list[Statement] = []

    def record(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        call()
    finally:
        event.remove(database.engine, "before_cursor_execute", record)
    return seen


def cost_of(database: Database, call: Callable[[], object]) -> int:
    """Rows that are read, or instructions of SQLite's machine."""
    count = COUNTERS[database.engine.dialect.name]
    connection = database.engine.raw_connection()
    try:
        return sum(count(connection, *each) for each in statements_of(database, call))
    finally:
        connection.close()


def _on_sqlite(connection: Any, statement: str, parameters: Any) -> int:
    steps: list[None] = []
    connection.driver_connection.set_progress_handler(lambda: steps.append(None), 1)
    connection.driver_connection.execute(statement, parameters).fetchall()
    connection.driver_connection.set_progress_handler(None, 1)
    return len(steps)


def _on_mariadb(connection: Any, statement: str, parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
        cursor.execute(statement, parameters)
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


def _on_postgresql(connection: Any, statement: str, parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        [(plans,)] = cursor.fetchall()
    plans = json.loads(plans) if isinstance(plans, str) else plans
    return sum(_rows_in(plan["Plan"]) for plan in plans)


def _rows_in(plan: Any) -> int:
    passed = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    below = sum(_rows_in(each) for each in plan.get("Plans", ()))
    return int(passed * plan["Actual Loops"]) + below


COUNTERS = {"sqlite": _on_sqlite, "mysql": _on_mariadb, "postgresql": _on_postgresql}
