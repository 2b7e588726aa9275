"""The `trove` command, run in this process against a real server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.service import Service
from trove.cli.trove import main

PG = "11111111-1111-4111-8111-111111111111"
OPERATION = "99999999-9999-4999-8999-999999999999"

INSTANCE: dict[str, Any] = {
    "id": PG,
    "name": "pg",
    "status": "ACTIVE",
    "operating_status": "HEALTHY",
    "created": "2026-01-01T00:00:00",
    "flavor": {"id": "2", "links": []},
    "volume": {"size": 1, "used": 0.1},
    "datastore": {
        "type": "postgresql",
        "version": "15",
        "version_number": "15.14",
        "url_scheme": "postgresql",
        "client": "psql",
    },
    "port": 5432,
    "addresses": [{"address": "127.75.9.1", "type": "private"}],
    "ip": ["127.75.9.1"],
    "replicas": [{"id": "22222222-2222-4222-8222-222222222222", "links": []}],
    "links": [{"rel": "self", "href": "http://x"}],
}


def operation(**changes: Any) -> dict[str, Any]:
    """One that goes on, unless something else is said of it."""
    return {
        "id": OPERATION,
        "subject_id": PG,
        "workflow": "instance.create",
        "state": "running",
        "progress": 10,
        "created": "2026-01-01",
    } | changes


@dataclass(frozen=True)
class Result:
    """What a command has left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def service() -> Iterator[Service]:
    """With one of everything in it."""
    running = Service()
    running.give("/instances", {"instances": [INSTANCE]})
    running.give(f"/instances/{PG}", {"instance": INSTANCE})
    flavor = {"id": 2, "str_id": "2", "name": "small", "ram": 512, "vcpus": 1}
    running.give("/flavors", {"flavors": [flavor, {"id": 3, "str_id": "3", "name": "big"}]})
    for collection in ("backups", "configurations", "modules"):
        running.give(f"/{collection}", {collection: [{"id": f"{collection[0]}-1", "name": "one"}]})
    yield running
    running.close()


@pytest.fixture
def trove(service: Service, monkeypatch: Any, capsys: Any, tmp_path: Any) -> Callable[..., Result]:
    """Run a command line with a static token; `stdin` is what the input holds."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("OS_ENDPOINT", service.endpoint)
    monkeypatch.setenv("OS_TOKEN", "a-token")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("OS_CLOUD", raising=False)

    def run(*words: str, stdin: str = "") -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return run
