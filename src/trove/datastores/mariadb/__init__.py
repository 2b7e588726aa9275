"""MariaDB 10.5 and newer."""

from trove.datastores.base import Log, Manifest, NameRules
from trove.datastores.parts import Datastore, Lazy

# fmt: off
CHARACTER_SETS = frozenset(
    {
        "big5", "dec8", "cp850", "hp8", "koi8r", "latin1", "latin2", "swe7", "ascii", "ujis",
        "sjis", "hebrew", "tis620", "euckr", "koi8u", "gb2312", "greek", "cp1250", "gbk",
        "latin5", "armscii8", "utf8", "utf8mb3", "ucs2", "cp866", "keybcs2", "macce",
        "macroman", "cp852", "latin7", "utf8mb4", "cp1251", "utf16", "utf16le", "cp1256",
        "cp1257", "utf32", "binary", "geostd8", "cp932", "eucjpms",
    }
)
# fmt: on
"""SHOW CHARACTER SET, the same in every release since 10.0, and utf8's newer name."""

WITH_UNICODE = "(utf8|utf8mb3|utf8mb4|ucs2|utf16|utf32)"
# fmt: off
ALPHABETS = "|".join(
    (
        "general", "general_mysql500", "unicode", "unicode_520", "bulgarian", "chinese", "croatian",
        "croatian_mysql561", "czech", "danish", "english", "esperanto", "estonian", "german1",
        "german2", "hungarian", "icelandic", "japanese", "korean", "latvian", "lithuanian",
        "myanmar", "persian", "polish", "roman", "romanian", "sinhala", "slovak", "slovenian",
        "spanish", "spanish2", "swedish", "thai", "turkish", "ukrainian",
        "vietnamese",
    )
)
# fmt: on
OF_ONE_SET = "|".join(sorted(CHARACTER_SETS))
COLLATIONS = rf"(?i:binary|({OF_ONE_SET})_((nopad_)?bin|thai_520_w2|({ALPHABETS})(_nopad)?_c[isw]))"
"""What SHOW COLLATION has since 10.5, and a few that would be of another character set."""

HIGHEST = "\uffff"
"""Identifiers are utf8mb3 there, whatever a database's own character set is."""

MANIFEST = Manifest(
    manager="mariadb",
    title="MariaDB",
    port=3306,
    database_names=NameRules(
        longest=64,
        forbidden="/\\",
        highest=HIGHEST,
        reserved=frozenset(
            {"mysql", "information_schema", "performance_schema", "sys", "lost+found"}
        ),
        # Names of directories and temporary tables that MariaDB does not encode as it does others.
        reserved_prefixes=("#mysql50#", "#sql"),
    ),
    user_names=NameRules(
        longest=80,
        forbidden="/\\",
        highest=HIGHEST,
        reserved=frozenset(
            {"root", "os_admin", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "public"}
        ),
    ),
    root_name="root",
    program="mariadbd",
    # No `sbin` is in the PATH of ordinary users.
    packages=("mariadb-server", "mariadb-client"),
    logs=(Log("error", "mariadb.log"), Log("slow_query", "mariadb-slow.log")),
    search=("/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/mariadb/*/bin"),
    user_hosts=True,
    smallest_memory=256,
    longest_password=128,
    character_sets=CHARACTER_SETS,
    collations=COLLATIONS,
    newer_collations=(
        (rf"(?i:({WITH_UNICODE}_)?uca1400_(\w+_)?a[is]_c[is])", (10, 10)),
        # MySQL 8's names, which are understood as those of uca1400.
        (r"(?i:utf8mb4_(\w+_)?0900_(a[is]_c[is]|bin))", (11, 4, 5)),
    ),
    url_scheme="mariadb",
    client="mariadb",
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
)
