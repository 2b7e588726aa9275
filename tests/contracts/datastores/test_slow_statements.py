"""Engines start with settings for SSDs; their logs have slow statements, and no secret."""

from __future__ import annotations

import pytest

from tests.support.engines import module_of, query, rows_of
from tests.support.tenants import restart, tenant
from tests.support.waiting import until
from trove.testing.engines import Engine

pytestmark = [pytest.mark.engine, pytest.mark.sql]

SHOWN = {
    "postgresql": (
        "SELECT name::text, setting FROM pg_file_settings WHERE applied AND name IN {}",
        {
            "random_page_cost": "1.1",
            "effective_io_concurrency": "200",
            "jit": "off",
            "log_min_duration_statement": "2000",
            "log_parameter_max_length": "1024",
        },
    ),
    "mariadb": (
        "SELECT lower(variable_name), variable_value FROM information_schema.global_variables"
        " WHERE variable_name IN {}",
        {
            "innodb_io_capacity": "2000",
            "innodb_flush_neighbors": "0",
            "slow_query_log": "ON",
            "long_query_time": "2.000000",
        },
    ),
}
"""A query for the settings of these names, and their values for one processor."""
AT_ONCE = {
    "postgresql": {"log_min_duration_statement": "0"},
    "mariadb": {"long_query_time": "0"},
}
"""Every statement counts as slow."""


def test_the_engine_has_the_settings(shared: Engine) -> None:
    text, expected = SHOWN[shared.manager]
    session = module_of(shared.manager, "session")
    with session.session(shared.spec) as link:
        found = dict(rows_of(link, text.format(tuple(expected))))
    assert found == expected


def test_a_slow_statement_is_logged_but_no_password(idle: Engine) -> None:
    engine = idle.changed(settings=AT_ONCE[idle.manager])
    restart(engine)
    who = tenant(engine, "slow")
    query(engine, "SELECT 'how slow' AS this", **who)
    until(lambda: "how slow" in _logged(engine))
    assert "CREATE USER" not in _logged(engine).upper()
    assert "ALTER ROLE" not in _logged(engine).upper()


def _logged(engine: Engine) -> str:
    """All that is in the logs that the manifest names."""
    patterns = [log.files for log in engine.manifest.logs]
    paths = [path for pattern in patterns for path in engine.spec.logs.glob(pattern)]
    return "".join(path.read_text(errors="replace") for path in paths)
