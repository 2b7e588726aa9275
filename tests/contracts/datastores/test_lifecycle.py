"""From installation to end: what every driver promises, asked of the real engine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.engines import (
    IS_ROOT,
    Engine,
    Refused,
    make_engine,
    make_spec,
    module_of,
    prepared_engine,
    privileged,
    short_directory,
    someone_else,
)
from tests.support.tenants import database, databases_of, user
from trove.datastores import datastores, manifest_of
from trove.datastores.base import Empty, Installation
from trove.datastores.configuration import usable_memory
from trove.datastores.discovery import installed_engines
from trove.datastores.process import exists
from trove.errors import Failed
from trove.protocol import EngineState

pytestmark = pytest.mark.engine


def test_every_datastore_is_here_to_be_tested() -> None:
    assert {i.manager for i in installed_engines()} == set(datastores())


def test_a_life_from_install_to_stop(installation: Installation, authority: Authority) -> None:
    with prepared_engine(installation, authority) as engine:
        assert engine.driver.is_prepared()
        assert engine.driver.state() is EngineState.STOPPED
        assert not engine.driver.is_alive()
        engine.driver.start()
        assert engine.driver.state() is EngineState.RUNNING
        assert engine.driver.version() == installation.version
        pid = engine.pid()
        make_engine(installation, engine.spec).driver.start()
        assert engine.pid() == pid, "a running engine is adopted"
        engine.driver.prepare(Empty())
        assert engine.driver.state() is EngineState.RUNNING
        engine.driver.stop()
        assert engine.driver.state() is EngineState.STOPPED
        assert not exists(pid)
        engine.driver.stop()


@pytest.mark.skipif(not IS_ROOT, reason="needs root to show that root is refused")
def test_root_is_refused(idle: Engine) -> None:
    with privileged():
        for refused in (partial(idle.driver.prepare, Empty()), idle.driver.start):
            with pytest.raises(Failed, match="must not run as root"):
                refused()
    assert idle.driver.state() is EngineState.STOPPED


def test_the_engine_is_detached_from_who_starts_it(shared: Engine) -> None:
    pid = shared.pid()
    assert os.getsid(pid) != os.getsid(0)
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]) != os.getpid()


def test_half_made_data_is_made_anew(installation: Installation, authority: Authority) -> None:
    with short_directory() as root:
        engine = make_engine(installation, make_spec(root, installation))
        authority.equip(engine.spec)
        half = engine.spec.data / installation.manager
        half.mkdir()
        (half / "PG_VERSION").write_text("half")
        assert not engine.driver.is_prepared()
        with pytest.raises(Failed, match="not complete"):
            engine.driver.start()
        engine.driver.prepare(Empty())
        engine.driver.configure()
        try:
            engine.driver.start()
            assert engine.driver.state() is EngineState.RUNNING
        finally:
            engine.driver.stop()


def test_two_side_by_side(shared: Engine, idle: Engine) -> None:
    idle.driver.start()
    assert idle.spec.port == shared.spec.port
    idle.parts.databases.create([database("only_here")])
    idle.parts.users.create([user("only_here", "only_here")])
    assert "only_here" not in databases_of(shared)
    with pytest.raises(Refused):
        shared.query("SELECT 1", user="only_here", password="secret")
    assert shared.driver.state() is EngineState.RUNNING


@pytest.mark.skipif(not IS_ROOT, reason="needs root to become two users")
def test_the_engine_of_another_user_is_not_overlooked(shared: Engine) -> None:
    """Whoever can not see into the process must not believe that it is down."""
    pid = shared.pid()
    with someone_else():
        for refused in (shared.driver.stop, shared.driver.start):
            with pytest.raises(Failed, match=f"another user .process {pid}"):
                refused()
    assert shared.driver.state() is EngineState.RUNNING


def test_the_smallest_flavor_holds_a_light_load(idle: Engine) -> None:
    smallest = manifest_of(idle.manager).smallest_memory
    engine = idle.changed(memory=smallest)
    engine.driver.configure()
    engine.driver.start()
    engine.parts.databases.create([database("light")])
    engine.parts.users.create([user("light", "light")])
    who = {"user": "light", "password": "secret", "database": "light"}
    engine.query("CREATE TABLE t AS SELECT 1 AS x, repeat('x', 500) AS y", **who)
    for _ in range(14):
        engine.query("INSERT INTO t SELECT x + 1, y FROM t", **who)
    links = [engine.connect(**who) for _ in range(10)]
    for link in links:
        link.cursor().execute("SELECT x, count(*) FROM t GROUP BY x, y ORDER BY y, x")
    assert 16 << 20 < engine.memory() < usable_memory(smallest) << 20
    for link in links:
        link.close()


def test_another_size(idle: Engine) -> None:
    text = {
        "postgresql": "SELECT setting::bigint * 8192 FROM pg_settings WHERE name='shared_buffers'",
        "mariadb": "SELECT @@innodb_buffer_pool_size",
    }[idle.manager]
    found = {}
    for memory in (manifest_of(idle.manager).smallest_memory, 2048):
        engine = idle.changed(memory=memory)
        engine.driver.stop()
        engine.driver.configure()
        engine.driver.start()
        session = module_of(engine.manager, "session")
        with session.session(engine.spec) as link:
            found[memory] = int(session.query(link, text)[0][0])
    small, large = found.values()
    assert 16 << 20 <= small < min(found) << 20
    assert 256 << 20 < large < 2048 << 20
