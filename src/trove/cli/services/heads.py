"""How long the head of a request may be: checked while it comes in, before anybody is known."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 << 10
"""Bytes of the request line and all header lines; one read of the socket may add its own length."""
REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"requestHeaderFieldsTooLarge": {"code": 431, '
    b'"message": "The head of a request may have 65536 bytes."}}'
)


# httptools, unlike uvicorn's other parser, has no bound: a head that never ends would fill the
# memory without a token.
class BoundedHeads(HttpToolsProtocol):
    """Closes a connection whose request goes on and on before it begins."""

    _in_head = True
    _length = 0

    def data_received(self, data: bytes) -> None:
        # First: it may find the end of the head in this piece.
        super().data_received(data)
        self._length = self._length + len(data) if self._in_head else 0
        if self._length > LONGEST_HEAD and not self.transport.is_closing():
            self.transport.write(REFUSAL)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
