"""A client of memcached, which has no users."""

from __future__ import annotations

import socket
import ssl

from trove.protocol.engine_spec import EngineSpec
from trove.testing.engines import Login, Refused


class MemcachedClient:
    def connect(self, spec: EngineSpec, login: Login) -> socket.socket:
        link = socket.create_connection((spec.address, spec.port), timeout=10)
        try:
            if login.tls:
                context = ssl.create_default_context(cafile=str(spec.authority))
                link = context.wrap_socket(link, server_hostname=spec.address)
            self._call(link, "version")
        except OSError as error:
            link.close()
            raise Refused(str(error)) from None
        return link

    def write(self, link: socket.socket, name: str) -> None:
        assert self._call(link, f"set {name} 0 0 1\r\nx") == "STORED\r\n"

    def has(self, link: socket.socket, name: str) -> bool:
        return self._call(link, f"get {name}").startswith("VALUE")

    def close(self, link: socket.socket) -> None:
        link.close()

    def _call(self, link: socket.socket, command: str) -> str:
        link.sendall(f"{command}\r\n".encode())
        answer = link.recv(1024)
        if not answer:
            raise ConnectionError("the connection was closed")
        return answer.decode()


CLIENT = MemcachedClient()
