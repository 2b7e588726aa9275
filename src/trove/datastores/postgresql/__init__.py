"""PostgreSQL 13 and newer."""

from trove.datastores.base import Log, Manifest, NameRules
from trove.datastores.parts import Datastore, Lazy

ADMIN = "os_admin"
GROUP_PREFIX = "os_db_"
"""Roles that own a database each; its users are their members."""

# fmt: off
CHARACTER_SETS = frozenset(
    {
        "utf8", "utf-8", "unicode", "utf8mb3", "utf8mb4",
        "sql_ascii", "latin1", "latin2", "latin3", "latin4", "latin5",
        "latin6", "latin7", "latin8", "latin9", "latin10", "iso_8859_5", "iso_8859_6",
        "iso_8859_7", "iso_8859_8", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-6",
        "iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-15", "iso88591", "iso88592",
        "iso88599", "iso885915", "koi8", "koi8r", "koi8u", "koi8-r", "koi8-u", "win866", "win874",
        "win1250", "win1251", "win1252", "win1253", "win1254", "win1255", "win1256", "win1257",
        "win1258", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
        "windows-1255", "windows-1256", "windows-1257", "windows-1258", "euc_cn", "euc_jp",
        "euc_jis_2004", "euc_kr", "euc_tw", "euc-cn", "euc-jp", "euc-kr", "euc-tw",
    }
)
# fmt: on
"""Those of servers, not of clients alone, in PostgreSQL's own spellings and in usual ones; see
https://www.postgresql.org/docs/current/multibyte.html."""

USUAL = r"utf8|utf-8|utf8mb[34]|unicode"
"""The encoding that databases have, in lower case; utf8mb4 is MySQL's name for it."""
USUAL_LOCALE = r"(?i:utf8(mb[34])?(_\w+)?)"
"""How clients that know MySQL alone name the usual locale: Heat always sends utf8_general_ci."""
BUILT_IN = rf"C|POSIX|C\.(?i:utf-?8)|{USUAL_LOCALE}"
"""Locales that every machine has, as it has the engine."""
LOCALES = rf"{BUILT_IN}|[a-z]{{2,3}}_[A-Z]{{2}}(\.[\w-]+)?(@\w+)?"
"""Of an operating system (POSIX), as far as their names go; which it has, the provider may know."""

INITDB = (
    "initdb",
    f"--username={ADMIN}",
    "--auth=reject",  # as long as our own rules are not there
    "--encoding=UTF8",
    # Other locales change their order with a C library, and indexes on text are wrong from then on.
    "--locale=C.UTF-8",
    # initdb's own default since 18.
    "--data-checksums",
)
"""Makes a data directory; the superuser has no password yet."""

MANIFEST = Manifest(
    manager="postgresql",
    title="PostgreSQL",
    port=5432,
    series_parts=1,
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
    packages=("postgresql", "postgresql-client"),
    logs=(Log("error", "postgresql-*.log"),),
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
    character_sets=CHARACTER_SETS,
    collations=LOCALES,
    own_collations=BUILT_IN,
)

DATASTORE = Datastore(
    MANIFEST,
    driver=Lazy(f"{__name__}.driver:create_driver"),
    databases=Lazy(f"{__name__}.databases:create_databases"),
    users=Lazy(f"{__name__}.users:create_users"),
    root=Lazy(f"{__name__}.root:create_root"),
    accounts=Lazy(f"{__name__}.catalog:accounts_of"),
    tls=Lazy(f"{__name__}.driver:create_tls"),
    sizes=Lazy(f"{__name__}.configuration:sizes_of"),
    seed=Lazy(f"{__name__}.seed:create_seed"),
)
