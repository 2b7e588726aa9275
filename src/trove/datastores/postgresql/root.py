"""The superuser `postgres`, as far as a tenant may have it."""

from __future__ import annotations

from trove.datastores.base import Root
from trove.datastores.postgresql import MANIFEST
from trove.datastores.postgresql.session import end_sessions, execute, session, set_password
from trove.protocol.engine_spec import EngineSpec


def create_root(spec: EngineSpec) -> Root:
    return PostgresRoot(spec)


class PostgresRoot:
    """See `trove.datastores.base.Root`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def enable(self, password: str) -> str:
        with session(self.spec) as link, link.transaction():
            execute(link, "ALTER ROLE postgres SUPERUSER LOGIN")
            set_password(link, MANIFEST.root_name, password)
        return MANIFEST.root_name

    def disable(self) -> None:
        with session(self.spec) as link:
            execute(link, "ALTER ROLE postgres NOLOGIN PASSWORD NULL")
            end_sessions(link, MANIFEST.root_name)
