"""Counters, of one process and of several that count together."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet

from trove.api.app import create_app as create_api
from trove.conductor import create_app as create_conductor
from trove.db import Database
from trove.metrics import Metrics
from trove.providers.fake import FakeWorld, provider_of
from trove.services.installation import Installation
from trove.settings import Settings
from trove.vault import Vault


@dataclass(frozen=True)
class Seen:
    workflow: str = "instance.create"
    step: str = "server.boot"
    outcome: str = "done"
    seconds: float = 0.02


def test_steps_are_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.observe_step(Seen())
    metrics.observe_step(Seen(outcome="failed"))
    body, kind = metrics.exposition()
    assert kind.startswith("text/plain; version=")
    shown = body.decode()
    labels = 'step="server.boot",workflow="instance.create"'
    assert f'trove_steps_total{{outcome="done",{labels}}} 1.0' in shown
    assert f'trove_steps_total{{outcome="failed",{labels}}} 1.0' in shown
    assert f"trove_step_seconds_count{{{labels}}} 2.0" in shown
    assert "process_resident_memory_bytes" in shown


def test_requests_are_counted_and_timed() -> None:
    metrics = Metrics()
    route = "/v1.0/{project_id}/instances"
    for status, seconds in ((200, 0.01), (200, 0.2), (404, 0.001)):
        metrics.observe_request("GET", route, status, seconds)
    shown = metrics.exposition()[0].decode()
    assert f'trove_api_requests_total{{method="GET",route="{route}",status="200"}} 2.0' in shown
    assert f'trove_api_requests_total{{method="GET",route="{route}",status="404"}} 1.0' in shown
    assert 'trove_api_request_seconds_bucket{le="0.1",method="GET"} 2.0' in shown
    assert 'trove_api_request_seconds_count{method="GET"} 3.0' in shown


def test_services_of_one_process_show_the_same_counters(tmp_path: Path) -> None:
    installation = Installation(
        Settings(state_directory=tmp_path),
        Database(f"sqlite:///{tmp_path}/trove.sqlite"),
        Vault(Fernet.generate_key()),
        provider_of(FakeWorld()).catalog,
    )
    installation.database.create_all()
    metrics = Metrics()
    metrics.observe_step(Seen())
    api = create_api(installation, metrics=metrics)
    conductor = create_conductor(installation, metrics)
    call(conductor, "POST", "/v1/sync")
    call(api, "GET", "/v1.0")
    shown = call(api, "GET", "/metrics")
    assert 'trove_steps_total{outcome="done",' in shown
    assert 'trove_conductor_calls_total{call="sync",status="401"} 1.0' in shown
    assert 'trove_api_requests_total{method="GET",route="/v1.0",status="200"} 1.0' in shown
    assert "trove_conductor_held_calls 0.0" in shown
    assert call(conductor, "GET", "/metrics").count("trove_steps_total{") == 1
    installation.database.dispose()


def call(app: Any, method: str, path: str) -> str:
    async def answer() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://trove.test") as client:
            return (await client.request(method, path)).text

    return asyncio.run(answer())


def test_processes_count_together(tmp_path: Path) -> None:
    count = (
        "from tests.unit.test_metrics import Seen; from trove.metrics import Metrics; "
        "m = Metrics(); m.observe_step(Seen()); print(m.exposition()[0].decode())"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    shown = ""
    for _ in range(2):
        shown = subprocess.run(
            [sys.executable, "-c", count],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    labels = 'outcome="done",step="server.boot",workflow="instance.create"'
    assert f"trove_steps_total{{{labels}}} 2.0" in shown
