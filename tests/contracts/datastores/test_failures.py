"""What a driver reports and does when machine, disk or engine fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import query, volume
from tests.support.tenants import database, other_tables, user
from trove.datastores import server
from trove.datastores.base import Empty, Installation
from trove.datastores.process import KEPT, wait_until
from trove.datastores.server import LONGEST_LOG
from trove.errors import Failed, Unavailable
from trove.protocol import EngineState
from trove.testing.authority import Authority
from trove.testing.engines import (
    IS_ROOT,
    Client,
    Engine,
    Refused,
    ended_after,
    make_engine,
    make_spec,
    short_directory,
)

pytestmark = [pytest.mark.engine, pytest.mark.sql]


@pytest.mark.root
@pytest.mark.skipif(not IS_ROOT, reason="mounts a small volume")
def test_a_full_disk_at_preparation(installation: Installation, client: Client) -> None:
    with short_directory() as root:
        spec = make_spec(root, installation)
        with volume(spec.data, mebibytes=4):
            driver = make_engine(installation, spec, client).driver
            with pytest.raises(Failed, match=r"(?i)no space left|full|errno: 28|28"):
                driver.prepare(Empty())
            assert not driver.is_prepared()


@pytest.mark.root
@pytest.mark.skipif(not IS_ROOT, reason="mounts a small volume")
def test_a_disk_that_fills_up(
    installation: Installation,
    client: Client,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start that it prevents reports it, and free space is all that it takes to go on.

    PostgreSQL gives up at once; MariaDB waits for space, a minute at a time.
    """
    monkeypatch.setattr(server, "START_SECONDS", 5.0)
    with (
        short_directory() as root,
        volume(root / "data", mebibytes=300),
        ExitStack() as stack,
    ):
        engine = make_engine(installation, make_spec(root, installation), client)
        stack.enter_context(ended_after(engine, authority))
        engine.driver.start()
        engine.parts.databases.create([database("full")])
        engine.parts.users.create([user("full", "full")])
        other_tables(engine, ["full"], "full")
        filler = engine.spec.data / "filler"
        fill(filler)
        assert shutil.disk_usage(engine.spec.data).free == 0
        os.kill(engine.pid(), signal.SIGKILL)
        assert wait_until(lambda: engine.driver.state() is EngineState.STOPPED, 10)
        with pytest.raises(Failed, match="the volume is full") as refusal:
            engine.driver.start()
        assert re.search(r"(?i)no space left|free disk space|errno: 28", refusal.value.message)
        if engine.driver.state() is not EngineState.STOPPED:
            os.kill(engine.pid(), signal.SIGKILL)
        assert wait_until(lambda: engine.driver.state() is EngineState.STOPPED, 10)
        filler.unlink()
        monkeypatch.undo()
        engine.driver.start()
        who: dict[str, Any] = {"user": "full", "password": "secret", "database": "full"}
        assert query(engine, "SELECT x FROM t", **who) == []


def fill(path: Path) -> None:
    """Let a file take all the space that is left."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_killed_engine_comes_back(idle: Engine, shared: Engine) -> None:
    idle.driver.start()
    idle.parts.databases.create([database("killed")])
    idle.parts.users.create([user("killed", "killed")])
    other_tables(idle, ["killed"], "killed")
    pid = idle.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: idle.driver.state() is EngineState.STOPPED, 10)
    with pytest.raises(Unavailable):
        idle.parts.accounts()
    with pytest.raises(Unavailable):
        idle.driver.version()
    # The pid is another engine's by now, as after a restart of a sandbox.
    for path in (idle.spec.data, idle.spec.run):
        for stale in (*path.rglob("*.pid"), *path.rglob(".*.lock")):
            text = stale.read_text().replace(str(pid), str(shared.pid()), 1)
            stale.write_text(text)
    assert idle.driver.state() is EngineState.STOPPED
    idle.driver.stop()
    idle.driver.start()
    who: dict[str, Any] = {"user": "killed", "password": "secret", "database": "killed"}
    assert query(idle, "SELECT * FROM t", **who) == []
    assert shared.driver.state() is EngineState.RUNNING


def test_a_long_log_is_cut_while_it_is_written(shared: Engine) -> None:
    kind = next(kind for kind in shared.manifest.logs if kind.kind == "error")
    log = max(shared.spec.logs.glob(kind.files), key=lambda p: p.stat().st_mtime)
    with log.open("ab") as file:
        file.write(b"a line of no interest\n" * (LONGEST_LOG // 20))
    shared.driver.tend()
    assert log.stat().st_size < 2 * KEPT
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="unknown_user", password="wrong")
    assert wait_until(lambda: b"unknown_user" in log.read_bytes(), 10)
    assert b"\0" not in log.read_bytes(), "the engine goes on where the file ends now"


def test_a_crash_at_start_is_reported(idle: Engine) -> None:
    engine = idle.changed(settings={"no_such_setting": "1"})
    engine.driver.configure()
    with pytest.raises(Failed, match="no_such_setting"):
        engine.driver.start()


def test_a_lost_secret_is_reported(shared: Engine) -> None:
    secret = shared.spec.config / "os_admin.secret"
    hidden = secret.rename(secret.with_suffix(".hidden"))
    try:
        with pytest.raises(Failed, match="administrator's password"):
            shared.parts.accounts()
    finally:
        hidden.rename(secret)
