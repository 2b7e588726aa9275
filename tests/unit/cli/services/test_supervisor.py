"""A supervisor keeps what its service listens on, however the service ends, until it is to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import slot
from tests.support.slot import free_port
from tests.support.waiting import HANG, until
from trove.cli.services import supervisor

HOST = slot.address(74, 21)

# As a standalone service does it: a child first, then this process becomes the supervisor.
LAUNCH = """
import os, signal, socket, sys
program, lock, *command = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
theirs.set_inheritable(True)
environ = {**os.environ, "SUPERVISOR_FD": str(theirs.fileno())}
child = os.posix_spawn(command[0], command, environ, setsigmask=[])
theirs.close()
ours.set_inheritable(True)
file = os.open(lock, os.O_RDWR)
os.set_inheritable(file, True)
numbers = map(str, (child, ours.fileno(), file))
os.execv(sys.executable, [sys.executable, program, *numbers, *command])
"""

# Each start writes what it was given into a journal, and then does the next word of the plan.
SERVICE = """
import json, os, signal, socket, sys
journal, host, ports, plan = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4].split()
with open(journal, "a+") as file:
    file.seek(0)
    number = len(file.readlines())
count = int(os.environ.get("LISTEN_FDS", 0))
passed = [socket.socket(fileno=3 + place) for place in range(count)]
seen = {
    "pid": os.getpid(),
    "parent": os.getppid(),
    "for": os.environ.get("LISTEN_PID"),
    "names": os.environ.get("LISTEN_FDNAMES"),
    "ports": [listener.getsockname()[1] for listener in passed],
    "open": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
}
if number == 0 or "again" in plan[number]:
    keeper = socket.socket(fileno=int(os.environ["SUPERVISOR_FD"]))
    for name, port in zip(("api", "conductor"), ports):
        listener = socket.socket()
        if "again" in plan[number]:
            port = 0
        listener.bind((host, int(port)))
        listener.listen()
        seen[name] = listener.getsockname()[1]
        if "silent" not in plan[number]:
            message = f"FDSTORE=1\\nFDNAME={name}".encode()
            socket.send_fds(keeper, [message], [listener.fileno()])
if "again" in plan[number]:
    passed.clear()
if "deaf" in plan[number]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "forget" in plan[number]:
    keeper.send(b"FDSTOREREMOVE=1\\nFDNAME=conductor")
with open(journal, "a") as file:
    print(json.dumps(seen), file=file)
if "die" in plan[number]:
    os.kill(os.getpid(), signal.SIGKILL)
if "fail" in plan[number]:
    sys.exit(3)
while "wait" in plan[number]:
    signal.pause()
"""


class Scene:
    """A supervisor and its service, which follows a plan: one word for each of its starts."""

    def __init__(self, directory: Path) -> None:
        self.journal = directory / "journal"
        self.lock = directory / "lock"
        self.lock.write_text("1")
        self.ports = [free_port(HOST), free_port(HOST)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *plan: str,
        program: str = supervisor.__file__,
        interpreter: str = sys.executable,
    ) -> subprocess.Popen[bytes]:
        service = [interpreter, "-IS", "-c", SERVICE, str(self.journal), HOST]
        service += [",".join(map(str, self.ports)), " ".join(plan)]
        launch = [sys.executable, "-c", LAUNCH, program, str(self.lock), *service]
        self.process = subprocess.Popen(launch, stderr=subprocess.PIPE)
        return self.process

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit code, and what it wrote to standard error."""
        assert self.process
        written = self.process.communicate(timeout=HANG)[1].decode()
        return self.process.returncode, written

    def starts(self) -> list[dict[str, Any]]:
        """What each start of the service was given; one that is being written is not there yet."""
        lines = self.journal.read_text().splitlines(True) if self.journal.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def await_starts(self, count: int) -> dict[str, Any]:
        """The newest of at least so many."""
        until(lambda: len(self.starts()) >= count)
        return self.starts()[-1]

    def can_bind(self, port: int) -> bool:
        """As an attacker would try, who may even reuse the address of old connections."""
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                other.bind((HOST, port))
                return True
        return False

    def is_bound(self) -> bool:
        return not any(map(self.can_bind, self.ports))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    process = made.process
    if process and process.returncode is None:
        for start in made.starts():
            with suppress(ProcessLookupError):
                os.kill(start["pid"], signal.SIGKILL)
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["die", "fail"])
def test_the_ports_are_never_free_between_a_death_and_the_next_start(
    scene: Scene, how: str
) -> None:
    scene.start(how, "wait")
    first = scene.await_starts(1)
    looks = 0
    while len(scene.starts()) < 2:
        assert scene.is_bound()
        looks += 1
    assert looks
    second = scene.await_starts(2)
    assert second["ports"] == scene.ports
    assert second["names"] == "api:conductor"
    assert second["for"] == str(second["pid"]) != str(first["pid"])
    assert second["parent"] == first["parent"]
    assert scene.process
    scene.process.terminate()
    code, written = scene.end()
    assert code == 0
    expected = "by signal 9" if how == "die" else "with exit code 3"
    assert f"process {first['pid']} ended {expected}; its ports stay bound" in written
    assert not scene.is_bound()


def test_the_service_gets_what_is_meant_for_it_alone(scene: Scene) -> None:
    """Not the lock, not the other end of the connection, and no signal that stays blocked."""
    scene.start("die", "end")
    assert scene.end()[0] == 0
    second = scene.starts()[1]
    assert second["blocked"] == []
    # Standard streams, two sockets, the connection, and the directory that is being listed.
    assert len(second["open"]) == 3 + 2 + 1 + 1


def test_connections_wait_for_the_next_start(scene: Scene) -> None:
    scene.start("die", "wait")
    scene.await_starts(1)
    with socket.create_connection((HOST, scene.ports[0]), HANG):
        scene.await_starts(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_with_its_service_and_frees_the_ports(
    scene: Scene, number: signal.Signals
) -> None:
    process = scene.start("wait")
    service = scene.await_starts(1)["pid"]
    process.send_signal(number)
    assert scene.end() == (0, "")
    assert not Path(f"/proc/{service}").exists()
    assert not scene.is_bound()
    assert scene.lock.read_text() == "", "it was not killed"


def test_it_stops_while_it_waits_to_start_the_service_again(scene: Scene) -> None:
    process = scene.start("die", "wait")
    scene.await_starts(1)
    assert process.stderr
    assert b"it is started again in 1 s" in process.stderr.readline()
    process.terminate()
    assert scene.end()[0] == 0
    assert len(scene.starts()) == 1


def test_a_service_that_ends_by_itself_is_not_started_again(scene: Scene) -> None:
    scene.start("end", "wait")
    assert scene.end() == (0, "")
    assert len(scene.starts()) == 1


@pytest.mark.parametrize(("how", "code"), [("silent-fail", 3), ("silent-die", 128 + 9)])
def test_a_service_that_never_listened_is_not_started_again(
    scene: Scene, how: str, code: int
) -> None:
    """Its first start has failed, for a reason that it wrote."""
    scene.start(how, "wait")
    assert scene.end()[0] == code
    assert len(scene.starts()) == 1


def test_a_restart_keeps_the_ports(scene: Scene) -> None:
    process = scene.start("wait", "wait", "end")
    for number in (1, 2):
        scene.await_starts(number)
        process.send_signal(supervisor.RESTART)
        while len(scene.starts()) <= number:
            assert scene.is_bound()
    assert scene.end() == (0, "")
    assert [start["ports"] for start in scene.starts()[1:]] == [scene.ports] * 2


def test_a_restart_is_possible_while_it_waits(scene: Scene) -> None:
    process = scene.start("die", "end")
    assert process.stderr
    assert process.stderr.readline()
    process.send_signal(supervisor.RESTART)
    assert scene.end() == (0, "")
    assert len(scene.starts()) == 2


def test_what_a_later_start_listens_on_takes_the_place_of_the_earlier(scene: Scene) -> None:
    """As when another port was set before a restart."""
    process = scene.start("wait", "again-wait")
    scene.await_starts(1)
    process.send_signal(supervisor.RESTART)
    second = scene.await_starts(2)
    assert second["ports"] == scene.ports
    until(lambda: all(map(scene.can_bind, scene.ports)))
    assert not scene.can_bind(second["api"])
    assert not scene.can_bind(second["conductor"])


def test_what_is_not_listened_on_any_more_is_closed(scene: Scene) -> None:
    scene.start("forget-wait")
    scene.await_starts(1)
    until(lambda: held_by(scene) == 1)
    assert scene.can_bind(scene.ports[1]) is False, "the service itself still listens"


def held_by(scene: Scene) -> int:
    """How many sockets the supervisor has open, but for its connection to the service."""
    assert scene.process
    held = -1
    for descriptor in Path(f"/proc/{scene.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            held += str(descriptor.readlink()).startswith("socket:")
    return held


def test_a_service_that_does_not_stop_is_killed(scene: Scene) -> None:
    program = scene.lock.with_name("impatient.py")
    text = Path(supervisor.__file__).read_text()
    program.write_text(text.replace("KILL_AFTER = 12.0", "KILL_AFTER = 0.01"))
    process = scene.start("deaf-wait", program=str(program))
    service = scene.await_starts(1)["pid"]
    process.terminate()
    assert scene.end()[0] == 128 + signal.SIGKILL
    assert not Path(f"/proc/{service}").exists()


def test_what_cannot_be_executed_is_tried_again_later(scene: Scene, tmp_path: Path) -> None:
    """A virtual environment that is being replaced while the service dies."""
    interpreter = tmp_path / "python"
    interpreter.symlink_to(sys.executable)
    process = scene.start("wait", "end", interpreter=str(interpreter))
    first = scene.await_starts(1)["pid"]
    interpreter.unlink()
    os.kill(first, signal.SIGKILL)
    assert process.stderr
    assert b"ended by signal 9" in process.stderr.readline()
    assert b"ended with exit code 127" in process.stderr.readline()
    assert scene.is_bound()
    interpreter.symlink_to(sys.executable)
    assert scene.end()[0] == 0
    assert len(scene.starts()) == 2
