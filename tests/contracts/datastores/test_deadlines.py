"""Nothing waits for ever, and who waits in vain is told for what."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.engines import Engine, module_of
from tests.support.tenants import database, databases_of, listed, other_tables, user
from trove.errors import Unavailable

pytestmark = pytest.mark.engine


def test_what_another_session_is_at_is_told(
    shared: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL can not give away a table that is read, MariaDB not drop one."""
    monkeypatch.setattr(module_of(shared.manager, "session"), "LOCK_SECONDS", 1)
    shared.parts.databases.create([database("in_use")])
    shared.parts.users.create([user("owner", "in_use"), user("reader", "in_use")])
    other_tables(shared, ["in_use"], "owner")
    who = {"user": "reader", "password": "secret"}
    if shared.manager == "postgresql":
        link = shared.connect(**who, database="in_use")
        link.cursor().execute("SELECT * FROM t")
    else:
        link = shared.connect(**who)
        link.cursor().execute("SELECT * FROM in_use.t")

    def remove() -> None:
        if shared.manager == "postgresql":
            shared.parts.users.delete(user("owner"))
        else:
            shared.parts.databases.delete("in_use")

    with pytest.raises(Unavailable, match="^in use by another session; end it and try again"):
        remove()
    assert "owner" in listed(shared)
    assert "in_use" in databases_of(shared)
    assert shared.query("SELECT 1", user="owner", password="secret", database=at(shared))
    link.close()
    remove()
    if shared.manager == "postgresql":
        shared.parts.users.create([user("owner", "in_use")])
        assert listed(shared)["owner"] == ["in_use"]


def at(engine: Engine) -> str | None:
    """MariaDB has taken the grants by then, lest new connections get in the way."""
    return "in_use" if engine.manager == "postgresql" else None


def test_a_long_statement_is_ended(shared: Engine) -> None:
    session = module_of(shared.manager, "session")
    sleep = {"postgresql": "SELECT pg_sleep(600)::text", "mariadb": "SELECT SLEEP(600)"}
    told = {"postgresql": "PostgreSQL took too long", "mariadb": "timed out"}[shared.manager]
    with pytest.raises(Unavailable, match=told), session.session(shared.spec, seconds=1) as link:
        session.query(link, sleep[shared.manager])


def test_a_server_that_hangs_is_hung_up_on(shared: Engine) -> None:
    session = module_of(shared.manager, "session")
    told = {"postgresql": "did not answer within .* minutes", "mariadb": "timed out"}
    pid = shared.pid()
    try:
        with (
            pytest.raises(Unavailable, match=told[shared.manager]),
            session.session(shared.spec, seconds=1) as link,
        ):
            if shared.manager == "postgresql":
                pid = link.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            session.query(link, "SELECT 1")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert databases_of(shared) is not None
