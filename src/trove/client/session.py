"""Requests to the database service of one project: signed in, paged, never carried out twice.

Start here: a Session takes a `Cloud` (cloud.py) and signs in (identity.py) at the first request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from trove.client.cloud import Cloud
from trove.client.errors import HttpError
from trove.client.http import Answer, Http
from trove.client.identity import (
    Ticket,
    identity_url,
    sign_in,
    static_ticket,
    uses_identity,
)
from trove.client.token_cache import TokenCache
from trove.client.wire import Json


class Session:
    """All paths are relative to the project, such as `/instances`."""

    def __init__(
        self,
        cloud: Cloud,
        http: Http,
        cache: TokenCache | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud = cloud
        self.http = http
        self.cache = cache
        self.headers = dict(headers or {})
        self.request_id = ""
        """The service's id of the last request."""
        self.operation_id = ""
        """The operation that the last request has started, as far as its answer names it."""
        self.is_replayed = False
        """Whether the answer is that to an earlier request with the same key."""
        self.has_changed = False
        """Whether a request was sent that may have changed something."""
        self._ticket: Ticket | None = None

    @property
    def ticket(self) -> Ticket:
        """Raises as `sign_in` does."""
        if self._ticket is None:
            self._ticket = self._find_ticket()
        return self._ticket

    def close(self) -> None:
        self.http.close()

    def _find_ticket(self) -> Ticket:
        if not uses_identity(self.cloud):
            return static_ticket(self.cloud)
        return (self.cache and self.cache.find(self.cloud)) or self._fresh_ticket()

    def _fresh_ticket(self) -> Ticket:
        ticket = sign_in(self.http, self.cloud)
        if self.cache:
            self.cache.keep(self.cloud, ticket)
        return ticket

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, query=query).body

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body).body

    def send(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Answer:
        """Raises HttpError, Unreachable. An expired token is replaced once."""
        # One key for all attempts of this call: a creation whose answer was lost is not repeated.
        headers = {"Idempotency-Key": os.urandom(16).hex()} if method == "POST" else {}
        target = path + _query(query or {})
        # Before it is sent: after an interruption it is unknown whether it arrived.
        self.has_changed |= method != "GET"
        answer = self._renewing(
            lambda: self._send(method, f"{self.ticket.endpoint}{target}", body, headers)
        )
        self.request_id = answer.headers.get("X-OpenStack-Request-Id", "")
        self.operation_id = answer.headers.get("X-Trove-Operation-Id", "")
        self.is_replayed = "Idempotent-Replayed" in answer.headers
        return answer

    def query_identity(self, path: str, **query: Any) -> Any:
        """The body of a GET below the v3 root of the identity service; raises as `send` does."""
        url = f"{identity_url(self.cloud.auth_url)}{path}{_query(query)}"
        return self._renewing(lambda: self._send("GET", url)).body

    def _renewing(self, send: Callable[[], Answer]) -> Answer:
        try:
            return send()
        except HttpError as error:
            # A token that the user gave cannot be replaced.
            if error.code != 401 or not uses_identity(self.cloud):
                raise
        if self.cache:
            self.cache.forget(self.cloud)
        # Only once: a second 401 has another cause than an expired token.
        self._ticket = self._fresh_ticket()
        return send()

    def _send(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        all_headers = {**self.headers, **(headers or {})}
        # With `none` there is no token; an empty header would be an invalid one.
        if self.ticket.token:
            all_headers["X-Auth-Token"] = self.ticket.token
        return self.http.request(method, url, body=body, headers=all_headers)

    def pages(self, path: str, key: str, **query: Any) -> Iterator[Json]:
        """Every item of a collection; pages are fetched when they are needed."""
        while True:
            body = self.get(path, **query)
            yield from body[key]
            marker = next_marker(body)
            # A service that ignores the marker would send this page forever.
            if marker is None or marker == query.get("marker"):
                return
            query["marker"] = marker


def _query(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def next_marker(body: Mapping[str, Any]) -> str | None:
    """Where the next page begins, from the link to it; None on the last page.

    The service quotes a marker before it encodes it into the link, and unquotes what it receives
    once more, so the marker is sent back as it is in the link.
    """
    for link in body.get("links") or ():
        if link.get("rel") == "next":
            markers = parse_qs(urlsplit(str(link["href"])).query).get("marker", [])
            return markers[0] if markers else None
    return None


def segment(name: str) -> str:
    """One path segment; nothing in it is read as a separator or a suffix."""
    # urllib3 would resolve `.` and `..`, and some servers read what follows a dot as a format:
    # python-troveclient writes %2e for the same reason.
    return quote(name, safe="").replace(".", "%2E")
