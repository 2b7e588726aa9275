"""The superuser `root`, as far as a tenant may have it."""

from __future__ import annotations

from trove.datastores.base import Root
from trove.datastores.mariadb import MANIFEST
from trove.datastores.mariadb.grants import account, set_password
from trove.datastores.mariadb.session import session
from trove.datastores.mysqlfamily.session import execute
from trove.protocol import Account
from trove.protocol.engine_spec import EngineSpec

ROOT = account(Account(MANIFEST.root_name))


def create_root(spec: EngineSpec) -> Root:
    return MariadbRoot(spec)


class MariadbRoot:
    """See `trove.datastores.base.Root`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def enable(self, password: str) -> str:
        with session(self.spec) as link:
            execute(link, f"CREATE USER IF NOT EXISTS {ROOT} ACCOUNT LOCK")
            execute(link, f"GRANT ALL PRIVILEGES ON *.* TO {ROOT} WITH GRANT OPTION")
            set_password(link, Account(MANIFEST.root_name, password=password))
            # Last: until then no one may log in, with whatever password it had before.
            execute(link, f"ALTER USER {ROOT} ACCOUNT UNLOCK")
        return MANIFEST.root_name

    def disable(self) -> None:
        with session(self.spec) as link:
            execute(link, f"ALTER USER IF EXISTS {ROOT} ACCOUNT LOCK")
            execute(link, f"KILL USER {ROOT}")
