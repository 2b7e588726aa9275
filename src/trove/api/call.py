"""What every route uses: the caller, the rule of the policy, and how answers are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Depends, Query
from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import Response

from trove.api.answers import Link, Links, Shown
from trove.api.errors import JSON_TYPE
from trove.api.exchange import SCOPE_KEY, Exchange
from trove.api.negotiation import ENCODED_SLASH, VERSION
from trove.api.policy import POLICY, enforce
from trove.api.sharing import Shared
from trove.api.waiting import Waiting
from trove.errors import Invalid
from trove.services.installation import Caller, Installation

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

OPERATION_HEADER = "X-Trove-Operation-Id"
"""Names the operation that a request has started."""
SHORT_PAGE = 100
"""Rows that are read in a few milliseconds, where the database is in this process."""
PAGED: dict[str, Any] = {
    "parameters": [
        {
            "name": "limit",
            "in": "query",
            "description": "At most so many; no more than a page.",
            "schema": {"type": "integer", "minimum": 1},
        },
        {
            "name": "marker",
            "in": "query",
            "description": "Begin after this one.",
            "schema": {"type": "string"},
        },
    ]
}
"""What a route says of itself that calls `Call.requested_page`."""
OfName = Annotated[str | None, Query(description="Those of exactly this name.")]
OfProject = Annotated[
    str | None, Query(alias="project_id", description="Of this project; for administrators.")
]
"""Must not be called `project_id` in a route, where the path has a parameter of that name."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request."""

    inst: Installation
    caller: Caller
    base: str
    """Scheme and host, as links show them."""
    path: str
    query: str
    shared: Shared
    waiting: Waiting
    made_id: str = ""
    """For what the request makes, when it has an Idempotency-Key."""

    async def read(self, work: Callable[[int, str | None], Shown[S]]) -> Shown[S]:
        """The answer of `work`, shared with equal requests of the project that wait as well.

        `work` is called with the limit and the marker of the request.
        """
        limit, marker = self.requested_page()
        # The project stands in the path, so projects share nothing; administrators are shown more.
        # `base` too, or one client's Host header would stand in another's links.
        key = (self.path, self.query, self.base, self.caller.is_admin)
        short = limit <= SHORT_PAGE and self.inst.database.is_embedded
        body = await self.shared.read(key, lambda: bytes(work(limit, marker).body), short=short)
        return Shown.of_bytes(body)

    async def wait_for_agent(self, instance_id: str, work: Callable[..., T], *args: Any) -> T:
        """What a service returns that waits for the agent of this instance.

        `work` is called with the installation, the caller, the instance's id and `args`. Raises
        what it raises, and NotReady when too many requests wait for agents already.
        """
        call = partial(work, self.inst, self.caller, instance_id, *args)
        return await self.waiting.run(self.caller.project_id, instance_id, call)

    def requested_page(self, most: int | None = None) -> tuple[int, str | None]:
        """`limit`, but no more than `most` or the installation's page, and `marker`; raises
        Invalid."""
        query = dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {}
        largest = most or self.inst.settings.api.page_size
        limit = query.get("limit", "")
        if not limit:
            return largest, query.get("marker") or None
        # Without isascii, str.isdigit takes "²" for a digit, which int() does not.
        if not (limit.isascii() and limit.isdigit() and limit.strip("0")):
            raise Invalid("a whole number of at least 1 is needed", field="limit")
        # No page has more items than nine digits express, and int() raises for more than 4300.
        return min(int(limit.lstrip("0")[:9]), largest), query.get("marker") or None

    def links(self, collection: str, identity: str) -> list[Link]:
        """The URLs of this object."""
        # With the request's own scheme: python-troveclient ignores it, but openstacksdk and
        # gophercloud follow links as they are, and fail on https where http is served.
        name = quote(identity, safe="")
        own = f"{self.base}{VERSION}/{self.caller.project_id}/{collection}/{name}"
        return [Link("self", own), Link("bookmark", f"{self.base}/{collection}/{name}")]

    def page(
        self,
        kind: Callable[[list[T], Links, Links], S],
        items: list[T],
        marker: str | None,
        limit: int,
    ) -> Shown[S]:
        """A page of a collection; `kind` takes its items, `links` and `<key>_links`."""
        if marker is None:
            return Shown(kind(items, UNSET, UNSET))
        # python-troveclient reads `links`, gophercloud `<key>_links`: without its own, each takes
        # the first page for the whole. On the last page neither may be present.
        following = [Link("next", self._next(marker, limit))]
        return Shown(kind(items, following, following))

    def _next(self, marker: str, limit: int) -> str:
        """The marker is quoted before it is encoded: clients decode it once and send it raw."""
        # The filters stay in, for gophercloud and openstacksdk follow the link as it is;
        # python-troveclient takes but the marker out of it and has the filters itself.
        kept = [(k, v) for k, v in parse_qsl(self.query) if k not in {"limit", "marker"}]
        query = urlencode([*kept, ("limit", limit), ("marker", quote(marker, safe=""))])
        return f"{self.base}{quote(self.path)}?{query}"


def may(rule: str) -> Any:
    """The dependency that serves a route to callers whom the policy allows."""
    # When the route is imported: a misspelt rule is found at once, not by a request.
    assert rule in POLICY, rule

    # Awaits nothing, but FastAPI would give a plain function to a thread for every request.
    async def call(request: Request) -> Call:
        exchange = request.scope[SCOPE_KEY]
        enforce(rule, exchange.caller)
        return call_of(request, exchange)

    return Depends(call)


def call_of(request: Request, exchange: Exchange) -> Call:
    caller, state = exchange.caller, request.scope["app"].state
    assert caller is not None
    # The placeholder is internal and must not appear in links.
    path = request.scope["path"].replace(ENCODED_SLASH, "%2F")
    # latin-1 decodes every byte; with UTF-8, an invalid one would be a failure of the server.
    query = request.scope["query_string"].decode("latin-1")
    base = base_of(request)
    return Call(
        state.installation,
        caller,
        base,
        path,
        query,
        state.shared,
        state.waiting,
        exchange.made_id,
    )


def base_of(request: Request) -> str:
    """The public endpoint without its path, or what the request itself came to."""
    installation: Installation = request.scope["app"].state.installation
    public = installation.settings.api.public_endpoint
    # It may be written with the version or without; links add their own.
    if public:
        return public.rstrip("/").removesuffix(VERSION)
    host = request.scope[SCOPE_KEY].request_headers.get("host", "localhost")
    return f"{request.scope['scheme']}://{host}"


def accepted(operation_id: str | None = None) -> Response:
    """202: the body is empty but has a type, as clients expect; the operation is in the head."""
    headers = {OPERATION_HEADER: operation_id} if operation_id else None
    return Response(b"", 202, headers, JSON_TYPE)
