"""The two pages of a process that serves nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3

from trove.cli.services.metrics_server import MetricsServer
from trove.cli.services.serving import Endpoint
from trove.metrics import Metrics


@pytest.fixture
def errors() -> list[str]:
    return []


@pytest.fixture
def server(errors: list[str]) -> Iterator[MetricsServer]:
    listener = Endpoint("127.0.0.1", 0).listen()
    made = MetricsServer(listener, Metrics(), lambda: errors[0] if errors else None)
    made.start()
    yield made
    made.stop()


def get(server: MetricsServer, path: str) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as http:
        return http.request("GET", f"http://127.0.0.1:{server.port}{path}", retries=False)


def test_counters_are_shown(server: MetricsServer) -> None:
    answer = get(server, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"process_resident_memory_bytes" in answer.data
    assert "Date" in answer.headers


def test_health_is_shown(server: MetricsServer, errors: list[str]) -> None:
    assert (get(server, "/healthcheck").status, get(server, "/healthcheck").data) == (200, b"OK\n")
    errors.append("The metadata database does not answer.")
    answer = get(server, "/healthcheck")
    assert (answer.status, answer.data) == (503, b"The metadata database does not answer.\n")
    assert get(server, "/elsewhere").status == 404


def test_a_server_may_be_stopped_as_soon_as_it_is_started() -> None:
    listener = Endpoint("127.0.0.1", 0).listen()
    server = MetricsServer(listener, Metrics(), lambda: None)
    server.start()
    server.stop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        listener.getsockname()


def test_the_pages_answer_head_and_name_their_methods(server: MetricsServer) -> None:
    with urllib3.PoolManager() as http:
        for path in ("/metrics", "/healthcheck"):
            url = f"http://127.0.0.1:{server.port}{path}"
            head = http.request("HEAD", url, retries=False)
            assert (head.status, head.data) == (200, b"")
            options, post = (http.request(m, url, retries=False) for m in ("OPTIONS", "POST"))
            assert (options.status, post.status) == (204, 405)
            assert {options.headers["Allow"], post.headers["Allow"]} == {"GET, HEAD, OPTIONS"}
