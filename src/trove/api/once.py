"""`Idempotency-Key` on POST: the same request under the same key is done once.

| what comes                                     | answer                                          |
|------------------------------------------------|-------------------------------------------------|
| a new key                                      | as without; kept for a day if it succeeded      |
| the same key and request, after success        | the first answer, with `Idempotent-Replayed`    |
| the same key and request, after an error       | as a new key: nothing was done                  |
| the same key and request, the first goes on    | 409                                             |
| the same key, the first was cut off by a crash | 409 for a minute, then it is done again; an     |
|                                                | instance that it had created is found, not made |
| the same key, another request                  | 422                                             |
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trove.api.errors import JSON_TYPE, TooLarge
from trove.api.exchange import SCOPE_KEY
from trove.api.negotiation import LARGEST_BODY
from trove.services.idempotency import Attempt, Kept, OnceOnly, claim, forget, keep, once_only
from trove.services.installation import Installation

HEADER = b"idempotency-key"


class Once:
    """Pure ASGI; a request without a key passes unchanged."""

    def __init__(self, app: ASGIApp, installation: Installation) -> None:
        self.app = app
        self.installation = installation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        # All of it before anything is done: the digest shows whether it is the same request.
        body = await _body_of(receive)
        exchange = scope[SCOPE_KEY]
        # With the user: a kept answer may contain a password, and the policy is not checked again.
        who = exchange.caller.user_id.encode()
        content = b"\0".join((who, scope["path"].encode(), scope["query_string"], body))
        request = once_only(exchange.caller.project_id, key, content)
        kept = await run_in_threadpool(claim, self.installation, request)
        if isinstance(kept, Attempt):
            exchange.made_id = kept.made_id
            await self._serve(request, scope, _replaying(body, receive), send)
            return
        replayed = Response(kept.body, kept.status, {"Idempotent-Replayed": "true"}, JSON_TYPE)
        await replayed(scope, receive, send)

    async def _serve(self, request: OnceOnly, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        try:
            # Held back until it is kept: a client that has seen an answer will see the same again.
            await self.app(scope, receive, hold)
        # A request that is cancelled frees its key too.
        except BaseException:
            await run_in_threadpool(forget, self.installation, request)
            raise
        await run_in_threadpool(self._settle, request, messages)
        for message in messages:
            await send(message)

    def _settle(self, request: OnceOnly, messages: list[Message]) -> None:
        status = messages[0]["status"]
        if status >= 300:
            forget(self.installation, request)
            return
        body = b"".join(message.get("body", b"") for message in messages[1:])
        keep(self.installation, request, Kept(status, body.decode()))


def _key_of(scope: Scope) -> str | None:
    # GET, PUT and DELETE may be repeated as they are; without a caller there is no project that the
    # key would be good in.
    if scope["type"] != "http" or scope["method"] != "POST" or scope[SCOPE_KEY].caller is None:
        return None
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == HEADER), None)


async def _body_of(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        # The gate has counted it as well, but this buffer must have a bound of its own.
        if len(body) > LARGEST_BODY:
            raise TooLarge
    return body


def _replaying(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever follows it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay
