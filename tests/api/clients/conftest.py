"""Unmodified clients in an environment of their own, against a real server.

`TROVE_OSC_VENV` is a virtual environment with python-openstackclient and python-troveclient;
`.venv-clients` in the root of the repository by default (`make clients`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Live

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = Path(os.environ.get("TROVE_OSC_VENV") or ROOT / ".venv-clients")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = Live(tmp_path_factory.mktemp("live"))
    yield running
    running.close()


@dataclass(frozen=True)
class Done:
    """The result of one command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


class Shell:
    """A client's own command line, kept in one process because it takes seconds to start."""

    def __init__(self, program: str, environ: dict[str, str], home: Path) -> None:
        self.process = subprocess.Popen(
            [CLIENTS / "bin" / "python", Path(__file__).with_name("driver.py"), program],
            env={"PATH": os.environ["PATH"], "HOME": str(home)} | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> Done:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(words), file=self.process.stdin, flush=True)
        return Done(*json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()


@pytest.fixture(scope="module")
def clients() -> Path:
    if not (CLIENTS / "bin" / "openstack").exists():
        pytest.fail(f"no unmodified clients in {CLIENTS}: run `make clients`")
    return CLIENTS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")
