"""A real standalone service in a directory of its own, used through its commands alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import urllib3

from tests.support import slot
from tests.support.waiting import until

BIN = Path(sys.executable).parent
LIMIT = 120.0
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


@dataclass
class Service:
    """Its commands, and what it has on this machine."""

    state: Path
    api_port: int
    conductor_port: int
    pool: str
    first_uid: int
    options: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "TROVE_", "XDG_"))}
        ours = {
            "TROVE_STATE_DIRECTORY": str(self.state),
            "TROVE_DEFAULT_BIND_PORT": str(self.api_port),
            "TROVE_DEFAULT_HTTP_GET_RATE": "100000",
            "TROVE_DEFAULT_HTTP_POST_RATE": "100000",
            "TROVE_CONDUCTOR_BIND_PORT": str(self.conductor_port),
            "TROVE_LOCAL_ADDRESS_POOL": self.pool,
            "TROVE_LOCAL_FIRST_UID": str(self.first_uid),
            "HOME": str(self.state) + ".home",
            "XDG_CACHE_HOME": str(self.state) + ".home/cache",
        }
        return kept | ours | self.options

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT * 2,
            stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.log()}"
        return done

    def start(self) -> None:
        self.command("trove-standalone", "start", "--detach")

    def stop(self) -> None:
        self.command("trove-standalone", "stop")

    def kill(self) -> None:
        """SIGKILL to every process of the control plane."""
        # The supervisor first, which would start the service again.
        kill([psutil.Process(self.pid("supervisor")), psutil.Process(self.pid("standalone"))])

    def pid(self, name: str) -> int:
        """Of its process `standalone`, or of the `supervisor`."""
        # It is empty for an instant when a process begins.
        return int(until((self.state / f"{name}.lock").read_text))

    def is_up(self) -> bool:
        """Whether the control plane runs."""
        url = f"http://127.0.0.1:{self.api_port}/healthcheck"
        try:
            return urllib3.request("GET", url, timeout=5, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def remove(self) -> None:
        self.command("trove-standalone", "remove", "--yes")
        shutil.rmtree(self.state.parent, ignore_errors=True)

    def trove(self, *words: str) -> Any:
        """What the command answers, as JSON."""
        printed = self.command("trove", "--json", *words).stdout
        return json.loads(printed) if printed.strip() else None

    def fails(self, *words: str) -> str:
        """What the command prints when it refuses."""
        done = self.command("trove", *words, check=False)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def show(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.trove("show", name)
        return found

    def words(self, name: str) -> tuple[str, str]:
        seen = self.show(name)
        return seen["status"], seen["operating_status"]

    def is_healthy(self, name: str) -> bool:
        return self.words(name) == ("ACTIVE", "HEALTHY")

    def address(self, name: str) -> str:
        return str(self.show(name)["addresses"][0]["address"])

    def authority(self) -> Path:
        path = Path(f"{self.state}.home") / "ca.pem"
        path.write_text(self.command("trove", "ca-show").stdout)
        return path

    def directory(self, name: str) -> Path:
        return self.state / "local" / "servers" / f"trove-{self.show(name)['id']}"

    def processes(self, *words: str) -> list[psutil.Process]:
        """Everything of this service's instances, agents and engines, with all these words."""
        found = []
        marks = (str(self.state / "local"), *words)
        for process in psutil.process_iter(["cmdline", "name", "status"]):
            line = " ".join(process.info["cmdline"] or [])
            if all(mark in line for mark in marks) and process.info["status"] not in ENDED:
                found.append(process)
        return found

    def kill_all(self) -> None:
        """SIGKILL to every process of its instances, as often as a watcher brings one back."""
        while running := self.processes():
            kill(running)

    def traces(self) -> dict[str, list[str]]:
        """Whatever instances leave on a machine."""
        local = self.state / "local"
        mounts = [m for m in Path("/proc/self/mounts").read_text().splitlines() if str(local) in m]
        loops = subprocess.run(["losetup", "-l", "-n"], capture_output=True, text=True, check=False)
        groups = [str(p) for p in Path("/sys/fs/cgroup").glob("**/trove-*") if p.is_dir()]
        ids = [entry.name for entry in (local / "servers").glob("*")]
        return {
            "processes": [" ".join(p.info["cmdline"]) for p in self.processes()],
            "mounts": mounts,
            "loops": [" ".join(x.split()) for x in loops.stdout.splitlines() if str(local) in x],
            "groups": [g for g in groups if any(i in g for i in ids)],
            "files": [
                str(p)
                for kind in ("servers", "volumes", "uids", "addresses")
                for p in (local / kind).glob("*")
            ],
        }

    def log(self) -> str:
        path = self.state / "standalone.log"
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return "\n".join(["", *[line for line in lines if "outermost" not in line][-40:]])


def make_service(**options: str) -> Service:
    """A service of its own: ports, addresses and users that no other one has."""
    around = Path(tempfile.mkdtemp(prefix="trove-e2e-", dir="/var/tmp"))
    around.chmod(0o711)
    (around / "s.home").mkdir()
    return Service(
        around / "s",
        slot.next_port(),
        slot.next_port(),
        slot.next_pool(),
        slot.next_first_uid(),
        options,
    )


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL to each, which may end by itself meanwhile; returns when they have ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not any(map(_is_alive, processes)))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in ENDED
    except psutil.NoSuchProcess:
        return False
