"""The administrator's connection to a running MariaDB: the local socket, with its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trove.datastores.mariadb import MANIFEST
from trove.datastores.mysqlfamily.session import Session, translated
from trove.datastores.mysqlfamily.session import connect as connect_to
from trove.protocol.engine_spec import EngineSpec

SOCKET = "mariadb.sock"
# MariaDB's own default is a day, for which a tenant's open transaction could hold a task.
QUICK = 60
"""Seconds for an answer."""
SLOW = 600
"""The same, for what removes as much as tenants have."""
LOCK_SECONDS = 5
"""So short that a tenant learns what is in the way while the API still waits for an answer."""


@contextmanager
def session(spec: EngineSpec, *, seconds: int = QUICK) -> Iterator[Session]:
    """A connection that commits every statement; errors of the engine become Trove's."""
    with translated(MANIFEST.title):
        link = connect(spec, seconds=seconds)
        try:
            yield link
        finally:
            link.close()


def connect(spec: EngineSpec, *, seconds: int) -> Session:
    """Raises the client library's own errors and OSError."""
    return connect_to(spec, spec.run / SOCKET, seconds=seconds, lock_seconds=LOCK_SECONDS)
