"""Redis 7 and newer, and Valkey.

Redis has no databases of tenants: here one is a key prefix, `NAME:`, and a user with it may use
the keys and channels `NAME:*` and no others.
"""

from trove.datastores.base import Log, Manifest, NameRules
from trove.datastores.parts import Datastore, Lazy

ADMIN = "os_admin"
REGISTRY = "os_databases"
"""A disabled user whose key patterns are the databases that exist, kept where users are kept."""

MANIFEST = Manifest(
    manager="redis",
    title="Redis",
    port=6379,
    # Characters of glob patterns, the separator, and what access lists cannot hold.
    database_names=NameRules(longest=64, forbidden="/\\:*?[]^ "),
    user_names=NameRules(
        longest=64,
        forbidden="/\\ ",
        reserved=frozenset({"default", ADMIN, REGISTRY}),
    ),
    root_name="default",
    program="redis-server",
    other_programs=("valkey-server",),
    # A function of OpenSSL; builds with TLS in a module of its own have it there, and not here.
    has_tls=b"SSL_CTX_new",
    packages=("redis-server", "redis-tools"),
    logs=(Log("server", "redis.log"),),
    search=("/usr/bin", "/usr/local/bin", "/opt/redis/bin", "/opt/valkey/bin"),
    smallest_memory=128,
    longest_password=128,
    character_sets=frozenset(),
    collations="(?!)",  # none
    url_scheme="rediss",
    client="redis-cli",
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
