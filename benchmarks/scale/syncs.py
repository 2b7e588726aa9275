"""Conductor processes and their simulated agents: what a sync costs, and how late answers are."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import msgspec
import psutil
from sqlalchemy import select, update

from benchmarks.scale.fill import databases, installation_on
from benchmarks.table import Result, show
from tests.support.filled import add_instances
from trove.cli.services.serving import Endpoint, Site, serve
from trove.conductor.app import create_app
from trove.conductor.calls import AgentCalls
from trove.db import Database
from trove.models import Agent
from trove.models.agent import digest_of
from trove.protocol import EngineState, Report, SyncRequest

AGENTS = 5000
HOLD = 10.0
"""Seconds that a call is held, as agents ask for."""
SECONDS = 20.0
CALLS = 1000
WARM_UP = 10
ADDRESS = "127.73.0.2"
REPORT = Report(EngineState.RUNNING, "15.20", volume_used=0.1, volume_total=1.0)
BODY = msgspec.json.encode(SyncRequest(REPORT, settling=[], accepts_withdrawal=True, hold=HOLD))
CPU_BAR, SHARE_BAR, LATE_BAR, MEMORY_BAR = 0.6, 60.0, 100.0, 45.0
"""Milliseconds of a sync, per cent of a core, milliseconds that an answer is late, KiB."""
HALF_BAR = 0.85
"""What the busier of two conductors may need of what one alone does: half of the reports, of which
fewer share a transaction."""


@dataclass
class Load:
    """What conductors needed while agents called them, and how late the answers were."""

    seconds: float
    spent: Sequence[float]
    """CPU seconds of each conductor."""
    late: Sequence[float] = field(default_factory=list)
    """Seconds, of each answer."""
    kib: float = 0.0
    """Memory of an agent."""

    @property
    def share(self) -> float:
        """Per cent of a core that the busiest needed."""
        return 100 * max(self.spent) / self.seconds

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return 1000 * sorted(self.late)[int(len(self.late) * 0.99)]

    @property
    def shown(self) -> str:
        each = 1000 * sum(self.spent) / len(self.late)
        return f"{len(self.late) / self.seconds:.0f} syncs/s, {each:.2f} ms each"


def main() -> int:
    return show(list(rows()))


def rows() -> Iterator[Result]:
    with databases("postgresql", 1) as (database,):
        add_instances(database, AGENTS)
        ids = _give_credentials(database)
        yield _cost_of(database, ids, 1, CPU_BAR * 2)
        yield _cost_of(database, ids, 10, CPU_BAR / 2)
        alone, shared = _measured(database, ids, 1), _measured(database, ids, 2)
        yield from _rows_of(f"{AGENTS} agents on one conductor", alone)
        part = shared.share / alone.share
        yield Result(
            f"{AGENTS} agents on two conductors", shared.shown, "one conductor", part, HALF_BAR
        )
        yield Result(
            "... p99 of lateness", f"{shared.p99:.0f} ms", "-", shared.p99, LATE_BAR, unit="ms"
        )


def _rows_of(what: str, load: Load) -> Iterator[Result]:
    yield Result(f"{what}: CPU", load.shown, "a core", load.share, SHARE_BAR, unit="%")
    yield Result("... p99 of lateness", f"{load.p99:.0f} ms", "-", load.p99, LATE_BAR, unit="ms")
    yield Result(
        "... memory of an agent", f"{load.kib:.0f} KiB", "-", load.kib, MEMORY_BAR, unit="KiB"
    )


def _give_credentials(database: Database) -> list[str]:
    """Each agent's is its instance's id."""
    with database.begin() as session:
        ids = list(session.scalars(select(Agent.instance_id)))
        session.execute(
            update(Agent), [{"instance_id": i, "credential_digest": digest_of(i)} for i in ids]
        )
    return ids


def _cost_of(database: Database, ids: list[str], together: int, bar: float) -> Result:
    """Of one sync, when so many share a transaction; within this process, without HTTP."""
    calls, message = AgentCalls(installation_on(database)), SyncRequest(REPORT)
    batches = [
        [(chosen, message) for chosen in random.sample(ids, together)]
        for _ in range(CALLS // together)
    ]
    for batch in batches[:WARM_UP]:
        calls.store(batch)
    began = time.process_time()
    for batch in batches:
        calls.store(batch)
    spent = (time.process_time() - began) * 1000 / CALLS
    what = f"{together} syncs a transaction, without HTTP"
    return Result(what, f"{spent:.2f} ms each", "-", spent, bar, unit="ms")


def _measured(database: Database, ids: list[str], count: int) -> Load:
    """All agents on so many conductors."""
    with ExitStack() as stack:
        conductors = [stack.enter_context(_conductor(database)) for _ in range(count)]
        return asyncio.run(_send_all(ids, conductors))


@contextmanager
def _conductor(database: Database) -> Iterator[tuple[int, psutil.Process]]:
    """One process: its port, and itself."""
    listener = Endpoint(ADDRESS, 0).listen()
    url = database.engine.url.render_as_string(hide_password=False)
    process = multiprocessing.get_context("spawn").Process(target=_conduct, args=(url, listener))
    process.start()
    try:
        yield listener.getsockname()[1], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join(20)
        listener.close()


def _conduct(url: str, listener: socket.socket) -> None:
    database = Database(url)
    database.notifications.start()
    app = create_app(installation_on(database))
    serve(Site(Endpoint(*listener.getsockname()), app, listener, on_stop=app.state.release))


async def _send_all(ids: list[str], conductors: Sequence[tuple[int, psutil.Process]]) -> Load:
    ports, processes = zip(*conductors, strict=True)
    late = list[float]()
    for port in ports:
        await _call_once(port, ids[0])
    small = sum(process.memory_info().rss for process in processes)
    agents = [
        asyncio.create_task(_be_agent(instance_id, number, ports[number % len(ports)], late))
        for number, instance_id in enumerate(ids)
    ]
    await asyncio.sleep(2 * HOLD)
    gc.disable()  # or answers would seem late while 5,000 simulated agents are looked through
    late.clear()
    began, used = time.monotonic(), [_cpu_of(process) for process in processes]
    await asyncio.sleep(SECONDS)
    spent = [_cpu_of(process) - before for process, before in zip(processes, used, strict=True)]
    load = Load(time.monotonic() - began, spent, list(late))
    gc.enable()
    load.kib = (sum(p.memory_info().rss for p in processes) - small) / 1024 / len(ids)
    ended = [agent.exception() for agent in agents if agent.done()]
    for agent in agents:
        agent.cancel()
    await asyncio.gather(*agents, return_exceptions=True)
    if ended:
        raise SystemExit(f"{len(ended)} agents were not served, such as: {ended[0]!r}")
    return load


def _cpu_of(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


async def _be_agent(instance_id: str, number: int, port: int, late: list[float]) -> None:
    """One sync after the other, the first at any time within one hold; from an address of its own,
    as real agents."""
    await asyncio.sleep(random.uniform(0, HOLD))  # noqa: S311
    own = f"127.74.{number // 250}.{1 + number % 250}"
    reader, writer = await asyncio.open_connection(ADDRESS, port, local_addr=(own, 0))
    try:
        while True:
            began = time.monotonic()
            await _one_call(reader, writer, instance_id, BODY)
            late.append(time.monotonic() - began - HOLD)
    finally:
        writer.close()


async def _call_once(port: int, instance_id: str) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    await _one_call(reader, writer, instance_id, b"{}")
    writer.close()


async def _one_call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, credential: str, body: bytes
) -> None:
    head = (
        f"POST /v1/sync HTTP/1.1\r\nhost: {ADDRESS}\r\nauthorization: Bearer {credential}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)


if __name__ == "__main__":
    sys.exit(main())
