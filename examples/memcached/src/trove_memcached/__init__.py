"""memcached 1.6 and newer, over TLS, without users."""

from trove.datastores.base import Manifest
from trove.datastores.parts import Datastore, Lazy

MANIFEST = Manifest(
    manager="memcached",
    title="memcached",
    port=11211,
    program="memcached",
    has_tls=b"SSL_CTX_new",
    packages=("memcached",),
    search=("/usr/bin", "/usr/local/bin"),
    smallest_memory=128,
)

DATASTORE = Datastore(
    MANIFEST,
    driver=Lazy(f"{__name__}.driver:create_driver"),
    tls=Lazy(f"{__name__}.driver:create_tls"),
    sizes=Lazy(f"{__name__}.driver:sizes_of"),
)
