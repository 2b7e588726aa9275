"""What databases, users and grants a running PostgreSQL has."""

from __future__ import annotations

from trove.datastores.postgresql.session import Session, query, session
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.protocol.engine_spec import EngineSpec


def accounts_of(spec: EngineSpec) -> Accounts:
    """What tenants may see of databases, users and root."""
    with session(spec) as link:
        return Accounts(databases(link), users(link), root_enabled(link))


def databases(link: Session) -> list[DatabaseAccount]:
    """What tenants may see."""
    rows = query(
        link,
        "SELECT d.datname::text, pg_encoding_to_char(d.encoding)::text, d.datcollate::text "
        "FROM pg_database d WHERE NOT d.datistemplate AND d.datname <> 'postgres' ORDER BY 1",
    )
    return [DatabaseAccount(name, character_set, collate) for name, character_set, collate in rows]


def users(link: Session) -> list[Account]:
    """What tenants may see, each with the databases whose group it is a member of.

    A role with a password is a user even if it may not log in: perhaps its removal was cut short.
    """
    rows = query(
        link,
        "SELECT DISTINCT r.rolname::text, d.datname::text FROM pg_authid r "
        "LEFT JOIN (pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid "
        "  AND g.rolname LIKE 'os\\_db\\_%' JOIN pg_database d ON d.datdba = g.oid) "
        "ON m.member = r.oid WHERE (r.rolcanlogin OR r.rolpassword IS NOT NULL) "
        "AND r.rolname NOT IN ('os_admin', 'postgres') ORDER BY 1, 2",
    )
    found: dict[str, Account] = {}
    for name, database in rows:
        account = found.setdefault(name, Account(name))
        account.databases.extend([database] if database else [])
    return list(found.values())


def root_enabled(link: Session) -> bool:
    return bool(
        query(link, "SELECT 'yes' FROM pg_roles WHERE rolname = 'postgres' AND rolcanlogin")
    )


def owners(link: Session) -> dict[str, str]:
    """The owner of each database that tenants may see."""
    rows = query(
        link,
        "SELECT d.datname::text, r.rolname::text FROM pg_database d JOIN pg_roles r "
        "ON r.oid = d.datdba WHERE NOT d.datistemplate AND d.datname <> 'postgres'",
    )
    return {name: owner for name, owner in rows}


def database_names(link: Session) -> set[str]:
    """Every one, the engine's own too."""
    return {name for (name,) in query(link, "SELECT datname::text FROM pg_database")}


def role_names(link: Session) -> set[str]:
    """Every one, the engine's own too."""
    return {name for (name,) in query(link, "SELECT rolname::text FROM pg_roles")}


def tenants_roles(link: Session) -> dict[str, bool]:
    """Every role that is neither the engine's nor Trove's own, and whether it may log in."""
    rows = query(
        link,
        "SELECT rolname::text, rolcanlogin::text FROM pg_roles "
        "WHERE rolname NOT IN ('os_admin', 'postgres') AND rolname !~ '^(pg_|os_db_)'",
    )
    return {name: can_login == "true" for name, can_login in rows}


def unused_groups(link: Session) -> list[str]:
    """Groups that have neither a database nor members, which a crash has left."""
    rows = query(
        link,
        "SELECT rolname::text FROM pg_roles r WHERE rolname LIKE 'os\\_db\\_%' "
        "AND NOT EXISTS (SELECT FROM pg_database WHERE datdba = r.oid) "
        "AND NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = r.oid)",
    )
    return [name for (name,) in rows]


def user_names(link: Session) -> set[str]:
    return {user.name for user in users(link)}


def owned_databases(link: Session, user: str) -> list[str]:
    rows = query(
        link,
        "SELECT d.datname::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba "
        "WHERE r.rolname = %s",
        user,
    )
    return [name for (name,) in rows]


def users_of_property(link: Session, user: str) -> list[tuple[str, str, str]]:
    """Sessions of others that have locks on what a user owns: their pids, users and databases."""
    rows = query(
        link,
        "SELECT DISTINCT a.pid::text, a.usename::text, a.datname::text FROM pg_shdepend s "
        "JOIN pg_roles u ON u.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass "
        "JOIN pg_locks l ON l.database = s.dbid AND l.relation = s.objid AND l.granted "
        "JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE u.rolname = %s AND s.deptype = 'o' AND s.classid = 'pg_class'::regclass "
        # Those of the engine itself, such as autovacuum, have no user, and stop by themselves.
        "AND a.usename <> u.rolname ORDER BY 1",
        user,
    )
    return [(pid, name, database) for pid, name, database in rows]


def places_of(link: Session, user: str) -> list[tuple[str, str]]:
    """The databases in which something depends on a user, and their owners."""
    rows = query(
        link,
        "SELECT DISTINCT d.datname::text, o.rolname::text FROM pg_shdepend s "
        "JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles o ON o.oid = d.datdba "
        "JOIN pg_roles u ON u.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass "
        "WHERE u.rolname = %s",
        user,
    )
    return [(name, owner) for name, owner in rows]
