"""The first command that a new user runs: again and again, stopped, and removed without a trace."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support import slot
from tests.support.waiting import HANG

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "quickstart.py"
URL = re.compile(r'psql "(postgresql://[^"]*:[^"]*@[^"]*)"')
ACCOUNT = "nobody"


@dataclass
class Newcomer:
    """A new user with an empty home directory, who runs the command."""

    home: Path
    prefix: tuple[str, ...] = ()
    port: int = field(default_factory=slot.next_port)
    pool: str = field(default_factory=slot.next_pool)
    first_uid: int = field(default_factory=slot.next_first_uid)

    @property
    def environment(self) -> dict[str, str]:
        # Another account cannot write the data of coverage.
        left_out = ("OS_", "TROVE_", "XDG_", *(("COVERAGE_",) if self.prefix else ()))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        return kept | {
            "HOME": str(self.home),
            "TROVE_STATE_DIRECTORY": str(self.home / "state"),
            "TROVE_DEFAULT_BIND_PORT": str(self.port),
            "TROVE_CONDUCTOR_BIND_HOST": slot.address(76),
            "TROVE_LOCAL_ADDRESS_POOL": self.pool,
            "TROVE_LOCAL_FIRST_UID": str(self.first_uid),
        }

    def run(self, *options: str) -> str:
        """What the command prints; fails the test when it does not succeed."""
        done = subprocess.run(
            [*self.prefix, sys.executable, str(SCRIPT), *options],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def url(self, output: str) -> str:
        found = URL.search(output)
        assert found, output
        return found[1]

    def traces(self) -> list[str]:
        """What is left of the service: processes, mounts, files."""
        home = str(self.home)
        processes = [
            " ".join(p.info["cmdline"])
            for p in psutil.process_iter(["cmdline"])
            if any(home in word for word in p.info["cmdline"] or ())
        ]
        mounts = [m for m in Path("/proc/mounts").read_text().splitlines() if home in m]
        files = [str(p) for p in self.home.rglob("*") if p.is_file() and ".cache" not in p.parts]
        return processes + mounts + files


def ordinary() -> tuple[str, ...]:
    """How a command is run by an account without rights, where this one is root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid", ACCOUNT, "--regid", "nogroup", "--clear-groups")


@pytest.fixture(params=["root", "ordinary"])
def newcomer(request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("this needs root")
    prefix = ordinary() if request.param == "ordinary" else ()
    home = Path(tempfile.mkdtemp(prefix="quick-", dir="/var/tmp"))
    home.chmod(0o711)
    if prefix:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(home, account.pw_uid, account.pw_gid)
        program = Path(sys.executable).with_name("trove-standalone")
        may = [*prefix, "sh", "-c", '"$0" --help && cat "$1"', str(program), str(SCRIPT)]
        if subprocess.run(may, check=False, capture_output=True).returncode:
            shutil.rmtree(home)
            pytest.skip(f"another account may not use {program}")
    made = Newcomer(home, prefix)
    try:
        yield made
    finally:
        made.run("--remove")
        shutil.rmtree(home)


def test_one_command_gives_a_database_that_answers(newcomer: Newcomer) -> None:
    output = newcomer.run()
    assert "hello from PostgreSQL" in output
    with psycopg.connect(newcomer.url(output)) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('still here')")
        assert connection.info.dbname == "app"
        assert connection.pgconn.ssl_in_use

    again = newcomer.run()
    assert newcomer.url(again) == newcomer.url(output), "a second run finds what is there"

    newcomer.run("--stop")
    assert _kept(newcomer.url(output)) == "still here", "the database outlives the service"
    newcomer.run()
    assert _kept(newcomer.url(output)) == "still here"

    newcomer.run("--remove")
    assert newcomer.traces() == []


def _kept(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("select word from kept").fetchone()
    assert row
    return str(row[0])
