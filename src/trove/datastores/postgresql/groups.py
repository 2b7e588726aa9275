"""The group role that owns each database: its members may use the database.

Law: a database is closed to PUBLIC, so its group alone decides who may connect.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress

from psycopg import errors

from trove.datastores.names import check_present
from trove.datastores.postgresql import GROUP_PREFIX, catalog
from trove.datastores.postgresql.session import Session, execute, session
from trove.protocol.engine_spec import EngineSpec

OWN_SCHEMA = 150000
"""From this version on the owner of a database owns its schema `public`."""


def create_group(link: Session) -> str:
    # Not from the database's name: it may change, and may be as long as a role's.
    group = GROUP_PREFIX + secrets.token_hex(8)
    execute(link, "CREATE ROLE {} NOLOGIN", group)
    return group


def drop_group(link: Session, group: str) -> None:
    """Unless it owns things elsewhere."""
    with suppress(errors.DependentObjectsStillExist):
        execute(link, "DROP ROLE {}", group)


def groups_of(spec: EngineSpec, link: Session, names: Iterable[str]) -> dict[str, str]:
    """The group of each database; one that root created is given its group now."""
    wanted = set(names)
    owners = catalog.owners(link)
    check_present("database", owners, wanted)
    for name in wanted:
        if not owners[name].startswith(GROUP_PREFIX):
            owners[name] = create_group(link)
            execute(link, "ALTER DATABASE {} OWNER TO {}", name, owners[name])
            close_to_others(spec, link, name, owners[name])
    return {name: owners[name] for name in wanted}


def close_to_others(spec: EngineSpec, link: Session, name: str, group: str) -> None:
    """Only the group may connect, and the group owns the schema `public`."""
    execute(link, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    if link.info.server_version < OWN_SCHEMA:
        with session(spec, name) as inside:
            execute(inside, "ALTER SCHEMA public OWNER TO {}", group)
            execute(inside, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
