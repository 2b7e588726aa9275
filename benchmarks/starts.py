"""Whether services that start at once on one SQLite file all start, again and again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import urllib3

from benchmarks.standalone import ADDRESS, WentWrong, await_that
from benchmarks.table import Result, show
from trove.cli.services.serving import Endpoint

ROUNDS = 50
SERVICES = ("api", "conductor", "taskmanager", "taskmanager")
STOPPING = 60.0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="trove-bench-", dir="/var/tmp") as directory:
        failures = [fault for number in range(ROUNDS) for fault in _round(Path(directory), number)]
    for fault in failures:
        print(fault, file=sys.stderr)
    measured = f"{len(failures)} failed"
    against = f"{ROUNDS} starts of {len(SERVICES)} services"
    return show([Result("starts at once on SQLite", measured, against, len(failures), 0, unit="")])


def _round(directory: Path, number: int) -> Iterator[str]:
    """Start them on a new database, and stop them once all serve; what went wrong."""
    state = directory / str(number)
    state.mkdir()
    ports = _ports()
    shared = _environment(state, ports)
    sync = [_program("trove-manage"), "db_sync"]
    subprocess.run(sync, env=shared, check=True, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        running = [
            stack.enter_context(_service(place, name, ports[place], shared, state))
            for place, name in enumerate(SERVICES)
        ]
        for place, process in enumerate(running):
            with suppress(WentWrong):
                await_that(lambda p=process, at=place: _is_over(p, SERVICES[at], ports[at]))  # type: ignore[misc]
    for place, (name, process) in enumerate(zip(SERVICES, running, strict=True)):
        log = (state / f"{place}.log").read_text()
        if process.returncode or "locked" in log:
            yield f"start {number}: {name} ended with {process.returncode}: {log[-2000:]}"


@contextmanager
def _service(
    place: int, name: str, port: int, environ: Mapping[str, str], state: Path
) -> Iterator[subprocess.Popen[bytes]]:
    own = {"TROVE_TASKMANAGER_METRICS_PORT": str(port)} if name == "taskmanager" else {}
    with (state / f"{place}.log").open("wb") as log:
        command = [_program(f"trove-{name}"), "--config-file", os.devnull]
        process = subprocess.Popen(command, env={**environ, **own}, stdout=log, stderr=log)
    yield process
    process.terminate()
    process.wait(STOPPING)


def _is_over(process: subprocess.Popen[bytes], name: str, port: int) -> bool:
    """Whether it serves, or has ended."""
    scheme = "https" if name == "conductor" else "http"
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    with (
        suppress(urllib3.exceptions.HTTPError),
        urllib3.PoolManager(cert_reqs="CERT_NONE", timeout=5, retries=False) as pool,
    ):
        return pool.request("GET", f"{scheme}://{ADDRESS}:{port}/healthcheck").status == 200
    return process.poll() is not None


def _ports() -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(Endpoint(ADDRESS, 0).listen()) for _ in SERVICES]
        return [int(listener.getsockname()[1]) for listener in listeners]


def _environment(state: Path, ports: list[int]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "TROVE_"))}
    return kept | {
        "TROVE_STATE_DIRECTORY": str(state),
        "TROVE_DEFAULT_PROVIDER": "fake",
        "TROVE_DEFAULT_BIND_HOST": ADDRESS,
        "TROVE_DEFAULT_BIND_PORT": str(ports[0]),
        "TROVE_CONDUCTOR_BIND_HOST": ADDRESS,
        "TROVE_CONDUCTOR_BIND_PORT": str(ports[1]),
        "TROVE_TASKMANAGER_METRICS_HOST": ADDRESS,
    }


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    sys.exit(main())
