"""Notifications reach what waits: in this process and, on PostgreSQL, in others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.support.metadata import Server
from tests.support.waiting import HANG, until
from trove import notifications
from trove.db import Database
from trove.notifications import OFTEN, RARE, SOON, notify, ramp


@pytest.fixture
def listening(postgresql_url: str) -> Iterator[Database]:
    """Another process's view of `postgresql_url`, which receives notifications."""
    other = Database(postgresql_url)
    other.notifications.start()
    until(lambda: other.notifications.are_complete)
    yield other
    other.dispose()


def commit(database: Database, *topics: str) -> None:
    with database.begin() as session:
        session.execute(text("SELECT 1"))
        for topic in topics:
            notify(session, topic)


def test_listeners_are_called_when_a_transaction_is_kept(database: Database) -> None:
    heard: list[str] = []
    database.notifications.subscribe("tasks", lambda: heard.append("tasks"))
    database.notifications.subscribe("tasks", lambda: heard.append("again"))
    with database.begin() as session:
        notify(session, "tasks")
        notify(session, "a topic without listeners")
        assert heard == []
    assert heard == ["tasks", "again"]
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        notify(session, "tasks")
        session.flush()
        raise ZeroDivisionError
    commit(database)
    assert heard == ["tasks", "again"]


def test_savepoints_notify_at_the_end_of_their_transaction(database: Database) -> None:
    heard: list[str] = []
    database.notifications.subscribe("tasks", lambda: heard.append("tasks"))
    with database.begin() as session:
        session.execute(text("SELECT 1"))
        with session.begin_nested():
            notify(session, "tasks")
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            raise ZeroDivisionError
        assert heard == []
    assert heard == ["tasks"]


def test_a_watch_ends_with_its_block(sqlite_database: Database) -> None:
    with sqlite_database.notifications.watch("one") as first:
        with sqlite_database.notifications.watch("one") as second:
            commit(sqlite_database, "one")
        assert first.is_set()
        assert second.is_set()
        first.clear()
        second.clear()
        commit(sqlite_database, "one")
        assert first.is_set()
        assert not second.is_set()


def test_a_process_that_hears_everything_looks_rarely(sqlite_database: Database) -> None:
    known = sqlite_database.notifications
    assert (
        [known.pause_after(idle) for idle in (0, 0.5, 60)]
        == [SOON, 0.1, OFTEN]
        == [ramp(idle) for idle in (0, 0.5, 60)]
    )
    known.start()
    assert not known.are_complete, "SQLite passes nothing on"
    known.start(alone=True)
    assert known.pause_after(0) == RARE
    known.stop()


@pytest.mark.engine
def test_other_processes_hear_of_what_is_committed(
    postgresql_url: str, listening: Database
) -> None:
    database = Database(postgresql_url)
    with listening.notifications.watch("tasks") as tasks, listening.notifications.watch("x") as x:
        with pytest.raises(ZeroDivisionError), database.begin() as session:
            notify(session, "tasks")
            raise ZeroDivisionError
        commit(database, "x")
        assert x.wait(HANG)
        assert not tasks.is_set()
        commit(database, "tasks")
        assert tasks.wait(HANG)
    database.dispose()


@pytest.mark.engine
def test_own_notifications_are_delivered_once(listening: Database) -> None:
    heard: list[str] = []
    listening.notifications.subscribe("tasks", lambda: heard.append("tasks"))
    listening.notifications.start()
    commit(listening, "tasks")
    with listening.notifications.watch("later") as later:
        other = Database(listening.engine.url.render_as_string(hide_password=False))
        commit(other, "later")
        assert later.wait(HANG)
        other.dispose()
    assert heard == ["tasks"]


@pytest.mark.engine
def test_a_lost_connection_is_opened_again(
    postgresql: Server, listening: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what waits looks at once, for what was notified meanwhile is lost."""
    monkeypatch.setattr(notifications, "RECONNECT", 0.05)
    with listening.notifications.watch("lost meanwhile") as waiting:
        postgresql.kill()
        until(lambda: not listening.notifications.are_complete)
        assert listening.notifications.pause_after(60) == OFTEN
        postgresql.start()
        assert waiting.wait(HANG)
        until(lambda: listening.notifications.are_complete)


@pytest.mark.engine
def test_a_listener_whose_notifications_do_not_arrive_looks_often(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy that gives each transaction another connection."""
    monkeypatch.setattr(notifications, "CHANNEL", "elsewhere")
    database = Database(postgresql_url)
    heard = threading.Event()
    database.notifications.subscribe("any", heard.set)
    greeted = threading.Event()

    def send_elsewhere(listening: object) -> None:
        greeted.set()

    monkeypatch.setattr(notifications._Listening, "_greet", send_elsewhere)
    database.notifications.start()
    assert greeted.wait(HANG)
    assert heard.wait(HANG)
    assert not database.notifications.are_complete
    database.dispose()
