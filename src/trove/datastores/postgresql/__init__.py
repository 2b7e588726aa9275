"""PostgreSQL 13 and newer."""

from trove.datastores.base import Capability, Manifest, NameRules

ADMIN = "os_admin"
GROUP_PREFIX = "os_db_"
"""Roles that own a database each; its users are their members."""

INITDB = (
    "initdb",
    f"--username={ADMIN}",
    "--auth=reject",  # as long as our own rules are not there
    "--encoding=UTF8",
    # Other locales sort anew with a new C library, and indexes on text are wrong from then on.
    "--locale=C.UTF-8",
    # initdb's own default since 18.
    "--data-checksums",
)
"""Makes a data directory; the superuser has no password yet."""

MANIFEST = Manifest(
    manager="postgresql",
    title="PostgreSQL",
    port=5432,
    capabilities=frozenset(Capability),
    database_names=NameRules(
        longest=63,
        forbidden="/",
        reserved=frozenset({"postgres", "template0", "template1"}),
    ),
    user_names=NameRules(
        longest=63,
        forbidden="/",
        # PUBLIC and NONE are words of GRANT and SET ROLE.
        reserved=frozenset({"postgres", ADMIN, "public", "none"}),
        reserved_prefixes=("pg_", GROUP_PREFIX),
    ),
    root_name="postgres",
    program="postgres",
    search=(
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/usr/local/pgsql/bin",
        "pgserver/pginstall/bin",
    ),
    smallest_memory=256,
    longest_password=128,
    url_scheme="postgresql",
    client="psql",
    lacks_tls=b"SSL is not supported by this build",
    seed=(*INITDB, "--wal-segsize=1"),  # of its log, which nobody copies
)
