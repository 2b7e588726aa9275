"""Sockets are taken from a supervisor as far as they are those that are wanted."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import slot
from tests.support.slot import free_port
from tests.support.waiting import HANG
from trove.cli.services import handover
from trove.cli.services.handover import Handover, take_over
from trove.cli.services.serving import Endpoint
from trove.errors import Failed

HOST = slot.address(74, 22)
FIRST = 700
"""Descriptors that no test process has open, in place of 3 and what follows."""


class Passing:
    """Passes sockets as an init system does, and receives what it is to keep."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.stack = stack
        self.ports: list[int] = []
        self.path = directory / "notify"
        self.notified = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.notified.bind(str(self.path))
        self.notified.setblocking(False)

    def pass_on(self, listens: bool = True) -> int:
        """The port of one more socket; it is open at the next descriptor."""
        with socket.socket() as made:
            made.bind((HOST, 0))
            if listens:
                made.listen()
            os.dup2(made.fileno(), FIRST + len(self.ports))
            self.ports.append(made.getsockname()[1])
        return self.ports[-1]

    def environ(self, names: str = "", pid: int | None = None) -> dict[str, str]:
        return {
            "LISTEN_PID": str(pid or os.getpid()),
            "LISTEN_FDS": str(len(self.ports)),
            "LISTEN_FDNAMES": names,
            "NOTIFY_SOCKET": str(self.path),
        }

    def messages(self) -> list[tuple[str, int | None]]:
        """What was notified, with the port of the socket that came with it."""
        found: list[tuple[str, int | None]] = []
        while True:
            try:
                text, passed, _, _ = socket.recv_fds(self.notified, 4096, 1)
            except BlockingIOError:
                return found
            port = None
            if passed:
                with socket.socket(fileno=passed[0]) as kept:
                    port = kept.getsockname()[1]
            found.append((text.decode(), port))

    def taken(self, **options: object) -> Handover:
        """The handover; what it has open is closed at the end of the test."""
        made = take_over(self.environ(**options))  # type: ignore[arg-type]
        for _, listener in made.passed:
            self.stack.callback(listener.close)
        if made.keeper:
            self.stack.callback(made.keeper.close)
        return made

    def listener(self, made: Handover, name: str, port: int) -> socket.socket:
        return self.stack.enter_context(made.listener(name, Endpoint(HOST, port)))


@pytest.fixture
def passing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Passing]:
    monkeypatch.setattr(handover, "FIRST_DESCRIPTOR", FIRST)
    with ExitStack() as stack:
        yield Passing(tmp_path, stack)


def test_what_is_passed_is_listened_on(passing: Passing) -> None:
    ports = [passing.pass_on(), passing.pass_on()]
    made = passing.taken(names="conductor:api")
    assert made.is_supervised
    # By their addresses: names are for those who keep them.
    for name, port in zip(("api", "conductor"), reversed(ports), strict=True):
        listener = passing.listener(made, name, port)
        assert listener.getsockname() == (HOST, port)
        assert not listener.get_inheritable()
    made.close()
    assert passing.messages() == []


def test_the_variables_are_removed(passing: Passing) -> None:
    """Processes that this one starts must not take them for theirs."""
    passing.pass_on()
    environ = {"PATH": "/bin", **passing.environ()}
    made = take_over(environ)
    made.close()
    assert made.keeper
    made.keeper.close()
    assert environ == {"PATH": "/bin"}


def test_what_is_passed_to_another_process_is_not_touched(passing: Passing) -> None:
    passing.pass_on()
    made = passing.taken(pid=os.getppid())
    assert made.passed == []
    os.close(FIRST)


@pytest.mark.parametrize("names", ["", "api", "api:conductor:more"])
def test_names_may_be_missing(passing: Passing, names: str) -> None:
    ports = [passing.pass_on(), passing.pass_on()]
    made = passing.taken(names=names)
    assert [passing.listener(made, "x", port).getsockname()[1] for port in ports] == ports


def test_a_new_socket_is_kept_from_then_on(passing: Passing) -> None:
    made = passing.taken()
    port = passing.listener(made, "api", free_port(HOST)).getsockname()[1]
    assert passing.messages() == [("FDSTORE=1\nFDNAME=api", port)]


def test_another_port_takes_the_place_of_the_passed_one(passing: Passing) -> None:
    """The old one is closed first, also where it is kept."""
    old = passing.pass_on()
    made = passing.taken(names="api")
    new = passing.listener(made, "api", free_port(HOST)).getsockname()[1]
    assert passing.messages() == [
        ("FDSTOREREMOVE=1\nFDNAME=api", None),
        ("FDSTORE=1\nFDNAME=api", new),
    ]
    with socket.socket() as other:
        other.bind((HOST, old))


def test_what_is_not_listened_on_is_closed(passing: Passing) -> None:
    old = passing.pass_on()
    made = passing.taken(names="metrics")
    made.close()
    assert passing.messages() == [("FDSTOREREMOVE=1\nFDNAME=metrics", None)]
    with socket.socket() as other:
        other.bind((HOST, old))


def test_a_passed_socket_that_does_not_listen_is_not_used(passing: Passing) -> None:
    port = passing.pass_on(listens=False)
    made = passing.taken(names="other")
    with pytest.raises(Failed, match=f"cannot listen on {HOST}:{port}: Address already in use"):
        made.listener("api", Endpoint(HOST, port))
    made.close()


def test_a_host_that_is_unknown_matches_nothing(passing: Passing) -> None:
    port = passing.pass_on()
    made = passing.taken()
    ((_, listener),) = made.passed
    assert not Endpoint("no such host", port).is_of(listener)
    assert not Endpoint(slot.address(74, 23), port).is_of(listener)
    assert Endpoint(HOST, port).is_of(listener)


def test_without_any_of_it_the_service_listens_for_itself() -> None:
    made = take_over({})
    assert not made.is_supervised
    assert made.keeper is None
    with made.listener("api", Endpoint(HOST, 0)) as listener:
        assert Endpoint(HOST, listener.getsockname()[1]).is_of(listener)
    made.close()
    made.end_with_supervisor()


def test_a_keeper_that_is_gone_is_no_obstacle(
    passing: Passing, caplog: pytest.LogCaptureFixture
) -> None:
    made = passing.taken()
    passing.notified.close()
    passing.listener(made, "api", 0)
    passing.path.unlink()
    with caplog.at_level(logging.WARNING):
        assert take_over(passing.environ()).keeper is None
    assert "sockets are not kept across restarts" in caplog.text


def test_an_abstract_address_of_the_keeper(passing: Passing) -> None:
    name = f"trove-handover-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(f"\0{name}")
        made = take_over({"NOTIFY_SOCKET": f"@{name}"})
        assert made.keeper
        with made.keeper, made.listener("api", Endpoint(HOST, 0)):
            assert notified.recv(100) == b"FDSTORE=1\nFDNAME=api"


ENDS = """
import logging, sys, threading
from trove.cli.services.handover import take_over
logging.basicConfig()
made = take_over({"SUPERVISOR_FD": sys.argv[1]})
assert made.is_supervised
made.end_with_supervisor()
print("ready", flush=True)
threading.Event().wait()
"""


def test_a_service_ends_with_its_supervisor() -> None:
    """Then the next start finds lock and ports free."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = str(theirs.fileno())
    with subprocess.Popen(
        [sys.executable, "-c", ENDS, number],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        theirs.close()
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        ours.close()
        _, written = process.communicate(timeout=HANG)
    assert process.returncode == 1
    assert "the supervisor has ended, and so does the service" in written
