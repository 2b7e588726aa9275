"""A tenant's client of Redis, for which a database is a prefix of keys."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from trove.datastores.redis.session import Refusal, Session
from trove.protocol.engine_spec import EngineSpec
from trove.testing.engines import Login, Refused


@dataclass(frozen=True)
class Link:
    session: Session
    prefix: str


class RedisClient:
    def connect(self, spec: EngineSpec, login: Login) -> Link:
        try:
            link = socket.create_connection((spec.address, spec.port), timeout=10)
            if login.tls:
                context = ssl.create_default_context(cafile=str(spec.authority))
                link = context.wrap_socket(link, server_hostname=spec.address)
            session = Session(link)
        except OSError as error:
            link.close()
            raise Refused(str(error)) from None
        try:
            session.call("AUTH", login.user, login.password)
        except (Refusal, OSError) as error:
            session.close()
            raise Refused(str(error)) from None
        return Link(session, f"{login.database}:")

    def write(self, link: Link, name: str) -> None:
        link.session.call("SET", link.prefix + name, "x")

    def has(self, link: Link, name: str) -> bool:
        return bool(link.session.call("EXISTS", link.prefix + name))

    def close(self, link: Link) -> None:
        link.session.close()


CLIENT = RedisClient()
