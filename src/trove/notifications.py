"""Wakes what waits for a change: in this process, and through PostgreSQL in others too.

Law: a notification is a hint, sent when a transaction commits, and may be lost. What waits looks
at the database by itself as well: rarely while every process's notifications arrive here, often
where those of other processes do not.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

TOPICS = "topics"
CHANNEL = "trove"
PUBLISH = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) payload")
HELLO = "hello"
"""Sent by a process to itself: once it arrives, those of others will."""

RARE = 2.0
"""Seconds between two looks that only make good for a lost notification."""
OFTEN = 0.25
"""Seconds between two looks where they are the only way to see what another process did."""
SOON = 0.02
"""Seconds until the next look right after something happened: more will follow."""
SHARE = 0.2
"""Of the time since something happened last, the part after which to look again."""
RECONNECT = 1.0


def notify(session: Session, topic: str) -> None:
    """Wake those who wait for this topic, once this transaction is committed."""
    session.info.setdefault(TOPICS, set()).add(topic)


class Notifications:
    """What is notified through one database, and who waits for it. Usable from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._name = uuid.uuid4().hex
        self._passes_on = engine.dialect.name == "postgresql"
        self._is_alone = False
        self._connection: _Listening | None = None

    @property
    def are_complete(self) -> bool:
        """Whether those of all other processes arrive here, as far as can be known."""
        return self._is_alone or (self._connection is not None and self._connection.is_heard)

    def pause_after(self, idle: float) -> float:
        """Seconds until the next look, when nothing has happened for so many."""
        return RARE if self.are_complete else ramp(idle)

    def subscribe(self, topic: str, listener: Callable[[], None]) -> None:
        """Call this whenever the topic is notified; it must be quick and raise nothing."""
        with self._lock:
            self._listeners[topic].append(listener)

    @contextmanager
    def watch(self, topic: str) -> Iterator[threading.Event]:
        """An event that is set whenever the topic is notified. Look after it is entered."""
        event = threading.Event()
        self.subscribe(topic, event.set)
        try:
            yield event
        finally:
            with self._lock:
                self._listeners[topic].remove(event.set)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    def start(self, *, alone: bool = False) -> None:
        """Receive what other processes notify, where the database passes it on.

        `alone` says that no other service works on this database.
        """
        self._is_alone = alone
        if self._passes_on and self._connection is None:
            self._connection = _Listening(self._engine, self._name, self._call)
            self._connection.start()

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.stop()
            self._connection = None

    def publish(self, session: Session) -> None:
        """Before a commit: within the transaction, so that others hear of it only if it is kept."""
        topics = session.info.get(TOPICS)
        # Released savepoints come here too; what they notified is kept until the end.
        if topics and self._passes_on and not session.in_nested_transaction():
            payloads = [f"{self._name} {topic}" for topic in topics]
            session.execute(PUBLISH, {"channel": CHANNEL, "payloads": payloads})

    def deliver(self, session: Session) -> None:
        """After a commit."""
        if not session.in_nested_transaction():
            for topic in session.info.pop(TOPICS, ()):
                self._call(topic)

    def _call(self, topic: str | None) -> None:
        """Those who wait for this topic; for any, if it is None."""
        with self._lock:
            topics = tuple(self._listeners) if topic is None else (topic,)
            listeners = [each for one in topics for each in self._listeners.get(one, ())]
        for listener in listeners:
            listener()


def discard(session: Session, previous_transaction: Any) -> None:
    """After a rollback; one to a savepoint may leave a superfluous notification."""
    if not previous_transaction.nested:
        session.info.pop(TOPICS, None)


def ramp(idle: float) -> float:
    """Seconds until the next look: the longer nothing has happened, the later."""
    return min(max(idle * SHARE, SOON), OFTEN)


class _Listening(threading.Thread):
    """One connection, outside of the pool, that waits for what other processes notify."""

    def __init__(self, engine: Engine, name: str, call: Callable[[str | None], None]) -> None:
        super().__init__(name="notifications", daemon=True)
        self.is_heard = False
        self._engine = engine
        self._own_name = name
        self._call = call
        self._stopping = False
        # The thread waits for the connection and for this at once, without a timeout.
        self._wake = os.eventfd(0)

    def run(self) -> None:
        errors = (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError)
        while not self._stopping:
            try:
                self._receive()
            except errors as error:
                log.warning("notifications are not received, retrying: %s", error)
            self.is_heard = False
            self._wait(RECONNECT)

    def stop(self) -> None:
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self.join()
        os.close(self._wake)

    def _receive(self) -> None:
        with closing(self._connect()) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            # Whatever was notified while this process did not listen.
            self._call(None)
            self._greet()
            while not self._stopping:
                self._take_in(connection.pgconn)
                self._wait(None, connection)
                connection.pgconn.consume_input()

    def _connect(self) -> Any:
        """The driver's own connection, which commits by itself."""
        proxy = self._engine.raw_connection()
        driver: Any = proxy.driver_connection
        # From here on it is not the pool's any more, which would reset and recycle it.
        proxy.detach()
        driver.rollback()
        driver.autocommit = True
        return driver

    def _greet(self) -> None:
        # By another connection: a proxy that shares connections (PgBouncer) may accept LISTEN and
        # forget it. Then nothing arrives, and all go on looking often.
        with self._engine.begin() as connection:
            payloads = [f"{self._own_name} {HELLO}"]
            connection.execute(PUBLISH, {"channel": CHANNEL, "payloads": payloads})

    def _take_in(self, connection: Any) -> None:
        while note := connection.notifies():
            sender, _, topic = note.extra.decode().partition(" ")
            if sender != self._own_name:
                self._call(topic)
            elif topic == HELLO:
                self.is_heard = True

    def _wait(self, seconds: float | None, *others: Any) -> None:
        with suppress(InterruptedError):
            select.select([self._wake, *others], [], [], seconds)
