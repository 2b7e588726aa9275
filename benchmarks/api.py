"""`GET /instances` with 5,000 instances, a page of 20, against static JSON of the same framework.

One API process, on SQLite, a token of the built-in identity, 16 connections; both applications are
served by what trove-api is served by.
The static document is the very page that the API answers. The bar is held against the plain way to
write such an endpoint: a route that returns Python objects. The same document as ready bytes, which
no endpoint with content can beat, is shown beside it; so is the list with one connection, for equal
requests that wait together share one read.
All are measured in turns, so that whatever else the machine does meets each; processor time for a
request is shown as well, for it hardly depends on that.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import psutil
import urllib3
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.responses import Response

from benchmarks.table import Result, show
from trove.api.app import create_app
from trove.cli.services.serving import Endpoint, Site, serve
from trove.db import Database, new_id, utcnow
from trove.engine import Operation, State
from trove.models import Agent, Datastore, DatastoreVersion, Instance
from trove.providers.fake import FakeWorld, provider_of
from trove.services import identity
from trove.services.installation import Installation
from trove.settings import Settings
from trove.vault import Vault

ADDRESS = "127.73.0.1"
INSTANCES = 5000
CONNECTIONS = 16
SECONDS = 4
ROUNDS = 3
UNLIMITED = 10**9
BAR = 1 / 3
LEAST = 1000
"""Requests/s, on any machine."""


@dataclass(frozen=True)
class Load:
    """What a server sustained."""

    per_second: float
    p99: float
    """Milliseconds."""
    cpu: float
    """Milliseconds of processor time for a request."""

    def __str__(self) -> str:
        throughput = f"{self.per_second:.0f} requests/s, p99 {self.p99:.1f} ms"
        return f"{throughput}, {self.cpu:.2f} ms of CPU each"


@dataclass(frozen=True)
class Served:
    """A server in a process of its own."""

    url: str
    process: ForkProcess

    def cpu(self) -> float:
        """Seconds of processor time that it has used, its threads' included."""
        assert self.process.pid is not None
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="trove-bench-") as directory:
        installation = _installation(Path(directory))
        project_id, token = _fill(installation)
        path = f"/v1.0/{project_id}/instances?limit=20"
        with _served(partial(_api, directory)) as api:
            page = _page(f"{api.url}{path}", token)
            with _served(partial(_static, page)) as static:
                turns = [
                    (api, path, CONNECTIONS),
                    (static, "/objects", CONNECTIONS),
                    (static, "/bytes", CONNECTIONS),
                    (api, path, 1),
                ]
                rounds = [[_measure_load(token, *turn) for turn in turns] for _ in range(ROUNDS)]
    return show(_results(*(_median(loads) for loads in zip(*rounds, strict=True))))


def _results(ours: Load, objects: Load, ready: Load, alone: Load) -> list[Result]:
    what = f"GET /instances, {INSTANCES} instances, page of 20, {CONNECTIONS} connections"
    ratio = ours.per_second / objects.per_second
    floor = ours.per_second / LEAST
    cpu, bar = objects.cpu / ours.cpu, round(BAR, 3)
    beside, unshared = ready.cpu / ours.cpu, 1000 / alone.cpu
    same, bytes_too = f"same JSON from objects: {objects}", f"same JSON as ready bytes: {ready}"
    return [
        Result(what, str(ours), same, ratio, bar, at_least=True),
        Result("... the same by processor time", str(ours), same, cpu, bar, at_least=True),
        Result("... in requests/s", str(ours), f"{LEAST} requests/s", floor, 1, at_least=True),
        Result("... by processor time, no bar", str(ours), bytes_too, beside, 0, at_least=True),
        Result(
            "... 1 connection: no read is shared, of one core",
            str(alone),
            f"{LEAST} requests/s",
            unshared,
            LEAST,
            at_least=True,
            unit="/s",
        ),
    ]


def _median(loads: Sequence[Load]) -> Load:
    return Load(
        statistics.median(load.per_second for load in loads),
        statistics.median(load.p99 for load in loads),
        statistics.median(load.cpu for load in loads),
    )


def _installation(directory: Path) -> Installation:
    plain = Settings(state_directory=directory)
    settings = replace(plain, api=replace(plain.api, http_get_rate=UNLIMITED))
    key = directory / "key"
    if not key.exists():
        key.write_bytes(Fernet.generate_key())
    database = Database(settings.url)
    catalog = provider_of(FakeWorld()).catalog
    return Installation(settings, database, Vault(key.read_bytes()), catalog)


def _fill(installation: Installation) -> tuple[str, str]:
    """A project with its instances, each with an operation and a report; (project id, token)."""
    installation.database.create_all()
    project = identity.create_project(installation, "bench")
    user = identity.create_user(installation, "bench", "correct horse battery")
    identity.grant_role(installation, user.id, project.id, "member")
    with installation.database.begin() as session:
        datastore = Datastore(id=new_id(), name="postgresql")
        version = DatastoreVersion(
            id=new_id(), datastore=datastore, name="15", number="15.20", manager="postgresql"
        )
        session.add_all([datastore, version])
        session.flush()
        for number in range(INSTANCES):
            _add(session, project.id, version.id, number)
    issued = identity.issue_static(installation, user.id, project.id, timedelta(hours=1))
    return project.id, issued.secret


def _add(session: Session, project_id: str, version_id: str, number: int) -> None:
    instance_id, operation_id = new_id(), new_id()
    session.add(
        Instance(
            id=instance_id,
            project_id=project_id,
            name=f"db-{number}",
            datastore_version_id=version_id,
            flavor_id="2",
            memory=512,
            vcpus=1,
            volume_size=1,
            access={"is_public": False},
            region="RegionOne",
            address=f"127.77.{number // 250}.{number % 250 + 1}",
            port=5432,
            volume_id=f"trove-{instance_id}",
            server_id=f"trove-{instance_id}",
            last_operation_id=operation_id,
        )
    )
    session.add(
        Operation(
            id=operation_id,
            workflow="instance.create",
            subject_id=instance_id,
            project_id=project_id,
            state=State.SUCCEEDED,
            step="datastore.prepare",
            due_at=None,
        )
    )
    session.flush()
    session.add(
        Agent(
            instance_id=instance_id,
            engine_state="running",
            volume_used=0.1,
            reported_at=utcnow() + timedelta(hours=1),
        )
    )


def _api(directory: str, listener: socket.socket) -> None:
    _serve(create_app(_installation(Path(directory))), listener)


def _static(page: bytes, listener: socket.socket) -> None:
    app = FastAPI()
    document: dict[str, Any] = json.loads(page)

    @app.get("/objects")
    async def objects() -> dict[str, Any]:
        return document

    @app.get("/bytes")
    async def ready() -> Response:
        return Response(page, media_type="application/json")

    _serve(app, listener)


def _serve(app: FastAPI, listener: socket.socket) -> None:
    """As trove-api does."""
    serve(Site(Endpoint(*listener.getsockname()), app, listener))


@contextmanager
def _served(work: Callable[[socket.socket], None]) -> Iterator[Served]:
    """A server in a process of its own."""
    listener = Endpoint(ADDRESS, 0).listen()
    port = listener.getsockname()[1]
    process = multiprocessing.get_context("fork").Process(
        target=work, args=(listener,), daemon=True
    )
    process.start()
    listener.close()
    try:
        yield Served(f"http://{ADDRESS}:{port}", process)
    finally:
        process.terminate()
        process.join(10)


def _page(url: str, token: str) -> bytes:
    """The page, seen to be right."""
    answer = urllib3.request("GET", url, headers={"X-Auth-Token": token}, timeout=20.0)
    page = json.loads(answer.data)
    shown = page["instances"]
    if len(shown) != 20 or shown[0]["status"] != "ACTIVE" or "instances_links" not in page:
        raise SystemExit(f"not the page that was to be measured: {answer.data[:500]!r}")
    return answer.data


def _measure_load(token: str, served: Served, path: str, connections: int) -> Load:
    used = served.cpu()
    measure = _with_wrk if shutil.which("wrk") else _with_threads
    count, per_second, p99 = measure(f"{served.url}{path}", token, connections)
    return Load(per_second, p99, 1000 * (served.cpu() - used) / count)


def _with_wrk(url: str, token: str, connections: int) -> tuple[int, float, float]:
    """(requests, requests/s, milliseconds of the 99th of 100)."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    output = subprocess.run(
        [*command, "-H", f"X-Auth-Token: {token}", url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in output:
        raise SystemExit(output)
    count = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    assert count and rate and slow, output
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[slow[2]]
    return int(count[1]), float(rate[1]), float(slow[1]) * scale


def _with_threads(url: str, token: str, connections: int) -> tuple[int, float, float]:
    """Without wrk: threads that send requests one after another; they load the machine, too."""
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    pool = urllib3.PoolManager(maxsize=connections)

    def send_requests() -> None:
        while (began := time.perf_counter()) < until:
            answer = pool.request("GET", url, headers={"X-Auth-Token": token})
            assert answer.status == 200, answer.data
            took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=send_requests) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return len(took), len(took) / SECONDS, 1000 * took[int(len(took) * 0.99)]


if __name__ == "__main__":
    sys.exit(main())
