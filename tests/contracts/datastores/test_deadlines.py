"""Nothing waits forever, and what ends in vain reports what it waited for."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.engines import module_of, query, rows_of, sql
from tests.support.tenants import database, databases_of, listed, other_tables, user
from trove.errors import Unavailable
from trove.testing.engines import Engine

IN_USE = "^in use by another session; end it and try again"

pytestmark = [pytest.mark.engine, pytest.mark.sql]


@pytest.fixture
def in_use(shared: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database with a table of its owner, and a reader."""
    monkeypatch.setattr(module_of(shared.manager, "session"), "LOCK_SECONDS", 1)
    shared.parts.databases.create([database("in_use")])
    shared.parts.users.create([user("owner", "in_use"), user("reader", "in_use")])
    other_tables(shared, ["in_use"], "owner")
    return shared


@pytest.mark.only("postgresql")
def test_a_table_that_is_read_cannot_be_given_away(in_use: Engine) -> None:
    link = in_use.connect(user="reader", password="secret", database="in_use")
    own = in_use.connect(user="owner", password="secret", database="in_use")
    link.cursor().execute("SELECT * FROM t")
    ((pid,),) = rows_of(link, "SELECT pg_backend_pid()")
    named = f"nothing was changed: process {pid} of user 'reader' in database 'in_use'; end it"
    with pytest.raises(Unavailable, match=named):
        in_use.parts.users.delete(user("owner"))
    assert "owner" in listed(in_use)
    # Its sessions have not been ended either, and it may log in.
    assert rows_of(own, "SELECT 1")
    assert query(in_use, "SELECT 1", user="owner", password="secret", database="in_use")
    link.close()
    own.close()
    in_use.parts.users.delete(user("owner"))
    in_use.parts.users.create([user("owner", "in_use")])
    assert listed(in_use)["owner"] == ["in_use"]


@pytest.mark.only("mariadb")
def test_a_table_that_is_read_cannot_be_dropped(in_use: Engine) -> None:
    """The grants are revoked by then, so that new connections do not get in the way."""
    link = in_use.connect(user="reader", password="secret")
    link.cursor().execute("SELECT * FROM in_use.t")
    with pytest.raises(Unavailable, match=IN_USE):
        in_use.parts.databases.delete("in_use")
    assert "in_use" in databases_of(in_use)
    assert query(in_use, "SELECT 1", user="owner", password="secret")
    link.close()
    in_use.parts.databases.delete("in_use")


def test_a_long_statement_is_ended(shared: Engine) -> None:
    session = module_of(shared.manager, "session")
    late = pytest.raises(Unavailable, match=sql(shared).late)
    with late, session.session(shared.spec, seconds=1) as link:
        rows_of(link, sql(shared).sleep)


def test_a_connection_to_a_server_that_hangs_is_ended(shared: Engine) -> None:
    session = module_of(shared.manager, "session")
    pid = shared.pid()
    hung = pytest.raises(Unavailable, match=sql(shared).hung)
    try:
        with hung, session.session(shared.spec, seconds=1) as link:
            # Of one process for each connection, the one that serves this connection.
            pid = getattr(getattr(link, "info", None), "backend_pid", pid)
            os.kill(pid, signal.SIGSTOP)
            rows_of(link, "SELECT 1")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert databases_of(shared) is not None
