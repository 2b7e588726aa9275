"""The client's address is believed of the proxies that the settings name, and of no one else."""

from __future__ import annotations

import asyncio
import http.client
import threading

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from trove.cli.services.serving import Endpoint, Site

ADDRESS = "127.0.0.1"  # the one that libraries like to believe


async def caller_of(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


@pytest.mark.parametrize(
    ("proxies", "address"), [((), ADDRESS), (("10.0.0.9",), ADDRESS), ((ADDRESS,), "192.0.2.7")]
)
def test_forwarded_addresses(proxies: tuple[str, ...], address: str) -> None:
    endpoint = Endpoint(ADDRESS, 0, proxies=proxies)
    app = Starlette(routes=[Route("/", caller_of)])
    with endpoint.listen() as listener:
        server = Site(endpoint, app, listener).server()
        serving = threading.Thread(target=lambda: asyncio.run(server.serve(listener)))
        serving.start()
        host, port = listener.getsockname()
        caller = http.client.HTTPConnection(host, port, timeout=20)
        caller.request("GET", "/", headers={"X-Forwarded-For": "192.0.2.7"})
        assert caller.getresponse().read().decode() == address
        caller.close()
        server.stop()
        serving.join(20)
