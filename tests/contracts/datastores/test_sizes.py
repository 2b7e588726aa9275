"""Engines of several sizes."""

from __future__ import annotations

import pytest

from tests.support.engines import module_of, query, rows_of, sql
from tests.support.tenants import tenant
from trove.datastores import manifest_of
from trove.datastores.configuration import usable_memory
from trove.testing.engines import Engine

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_the_smallest_flavor_holds_a_light_load(idle: Engine) -> None:
    smallest = manifest_of(idle.manager).smallest_memory
    engine = idle.changed(memory=smallest)
    engine.driver.configure()
    engine.driver.start()
    who = tenant(engine, "light")
    query(engine, "CREATE TABLE t AS SELECT 1 AS x, repeat('x', 500) AS y", **who)
    for _ in range(14):
        query(engine, "INSERT INTO t SELECT x + 1, y FROM t", **who)
    links = [engine.connect(**who) for _ in range(10)]
    for link in links:
        link.cursor().execute("SELECT x, count(*) FROM t GROUP BY x, y ORDER BY y, x")
    assert 16 << 20 < engine.memory() < usable_memory(smallest) << 20
    for link in links:
        link.close()


def test_another_size(idle: Engine) -> None:
    text = sql(idle).buffer_size
    found = {}
    for memory in (manifest_of(idle.manager).smallest_memory, 2048):
        engine = idle.changed(memory=memory)
        engine.driver.stop()
        engine.driver.configure()
        engine.driver.start()
        session = module_of(engine.manager, "session")
        with session.session(engine.spec) as link:
            found[memory] = int(rows_of(link, text)[0][0])
    small, large = found.values()
    assert 16 << 20 <= small < min(found) << 20
    assert 256 << 20 < large < 2048 << 20
