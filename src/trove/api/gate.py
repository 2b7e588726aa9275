"""What stands between the world and a tenant's routes: who calls, whose project, how often.

Law: no path below `/v1.0/` is served before its caller is known and the project is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trove.api.auth import Authenticator, RememberingAuthenticator, key_of
from trove.api.exchange import SCOPE_KEY, Exchange
from trove.api.negotiation import LARGEST_BODY, VERSION, check_accept, check_body, normalise
from trove.api.rate import RateLimits
from trove.errors import Forbidden
from trove.services.installation import Caller


class Gate:
    """Pure ASGI; most requests pass it without waiting for anything."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, limits: RateLimits) -> None:
        self.app = app
        self.authenticator = authenticator
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        scope[SCOPE_KEY].request_headers = headers
        # Before anything looks at the path: what is compared here must be what is routed later.
        normalise(scope, headers)
        # A body of known length is measured by its header, in check_body.
        if "transfer-encoding" in headers:
            receive = _counting(receive)
        # /v1.0 itself is a version document and for everybody.
        parts = scope["path"].split("/", 3)
        if scope["path"].startswith(f"{VERSION}/") and len(parts) > 2:
            await self._admit(scope[SCOPE_KEY], scope["method"], parts, headers)
        await self.app(scope, receive, send)

    async def _admit(
        self, exchange: Exchange, method: str, parts: list[str], headers: Mapping[str, str]
    ) -> None:
        check_accept(headers)
        caller = await self._caller(headers)
        # Administrators too: they see other projects below /mgmt, never under another's path.
        if not caller.project_id or parts[2] != caller.project_id:
            raise Forbidden("The project in the URL is not the one that the token is good for.")
        exchange.caller = caller_of(caller, exchange.request_id)
        # Counted when the caller is known, or requests without a token could use up a project's
        # rate; but before the body is checked, or malformed requests would be free.
        is_mgmt = len(parts) > 3 and parts[3].startswith("mgmt/")
        taken = self.limits.take(caller.project_id, method, is_mgmt=is_mgmt)
        if taken is not None:
            exchange.headers.append((b"x-ratelimit-limit", b"%d" % taken[0]))
            exchange.headers.append((b"x-ratelimit-remaining", b"%d" % taken[1]))
        check_body(headers)

    async def _caller(self, headers: Mapping[str, str]) -> Caller:
        if isinstance(self.authenticator, RememberingAuthenticator):
            # On the event loop: a look into a dictionary is not worth a thread.
            remembered = self.authenticator.remembered(key_of(headers))
            if remembered is not None:
                return remembered
        return await run_in_threadpool(self.authenticator.authenticate, headers)


def caller_of(caller: Caller, request_id: str) -> Caller:
    """The caller of this very request."""
    # A copy: the remembered Caller serves other requests at the same time.
    return Caller(
        project_id=caller.project_id,
        user_id=caller.user_id,
        roles=caller.roles,
        is_admin=caller.is_admin,
        request_id=request_id,
        user_name=caller.user_name,
    )


def _counting(receive: Receive) -> Receive:
    """For a body whose length is not known beforehand."""
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            # Not TooLarge: while it reads a body, FastAPI passes its HTTPException on and turns any
            # other error into 400 "There was an error parsing the body".
            raise HTTPException(413, f"The request body may have {LARGEST_BODY} bytes.")
        return message

    return receive_counted
