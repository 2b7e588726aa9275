"""The superuser: Redis' user `default`, for whom clients need no user name."""

from __future__ import annotations

from trove.datastores.base import Root
from trove.datastores.redis import MANIFEST, access
from trove.datastores.redis.session import session, verifier
from trove.protocol.engine_spec import EngineSpec


def create_root(spec: EngineSpec) -> Root:
    return RedisRoot(spec)


class RedisRoot:
    """See `trove.datastores.base.Root`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def enable(self, password: str) -> str:
        rules = ["on", f"#{verifier(password)}", "~*", "&*", *access.ROOT]
        with session(self.spec) as link:
            access.change(link, {MANIFEST.root_name: rules})
        return MANIFEST.root_name

    def disable(self) -> None:
        with session(self.spec) as link:
            access.change(link, {MANIFEST.root_name: ["off"]}, disconnect=[MANIFEST.root_name])
