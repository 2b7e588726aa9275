"""The superuser `postgres`, as far as a tenant may have it."""

from __future__ import annotations

from trove.datastores.base import Place, Root
from trove.datastores.postgresql import MANIFEST
from trove.datastores.postgresql.session import end_sessions, execute, session, set_password


def create_root(place: Place) -> Root:
    return PostgresRoot(place)


class PostgresRoot:
    """See `trove.datastores.base.Root`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def enable(self, password: str) -> str:
        with session(self.place) as link, link.transaction():
            execute(link, "ALTER ROLE postgres SUPERUSER LOGIN")
            set_password(link, MANIFEST.root_name, password)
        return MANIFEST.root_name

    def disable(self) -> None:
        with session(self.place) as link:
            execute(link, "ALTER ROLE postgres NOLOGIN PASSWORD NULL")
            end_sessions(link, MANIFEST.root_name)
