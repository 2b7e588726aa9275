"""The ports of a service are bound from its start to its stop, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from tests.support.standalone import BIN, Service, make_service
from tests.support.waiting import HANG, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ACTIVATE = "systemd-socket-activate"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made = make_service()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def running(service: Service) -> Service:
    service.start()
    return service


def can_bind(port: int) -> bool:
    """As another user's program would try."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            other.bind(("127.0.0.1", port))
            return True
    return False


def is_bound(service: Service) -> bool:
    return not can_bind(service.api_port) and not can_bind(service.conductor_port)


def bound_until(service: Service, condition: Callable[[], bool]) -> None:
    """Wait for the condition; AssertionError if a port is free at any look."""

    def look() -> bool:
        assert is_bound(service), service.log()
        return condition()

    until(look, service.log, interval=0.001)


def test_the_ports_of_a_killed_service_are_never_free(running: Service) -> None:
    before = running.pid("standalone")
    os.kill(before, signal.SIGKILL)
    bound_until(running, lambda: not psutil.pid_exists(before))
    bound_until(running, lambda: running.pid("standalone") != before)
    until(running.is_up, running.log)
    assert f"process {before} ended by signal 9" in running.log()


def test_a_restart_keeps_the_ports_and_the_supervisor(running: Service) -> None:
    before, supervisor = running.pid("standalone"), running.pid("supervisor")
    with subprocess.Popen(
        [str(BIN / "trove-standalone"), "restart"], env=running.environ, stdout=subprocess.DEVNULL
    ) as restart:
        bound_until(running, lambda: restart.poll() is not None)
    assert restart.returncode == 0
    assert running.pid("standalone") != before
    assert running.pid("supervisor") == supervisor
    assert running.trove("list") == []


def test_the_supervisor_is_small(running: Service) -> None:
    private = psutil.Process(running.pid("supervisor")).memory_full_info().uss
    assert private < 8 << 20


def test_a_stop_frees_the_ports(running: Service) -> None:
    running.stop()
    assert can_bind(running.api_port)
    assert can_bind(running.conductor_port)
    status = running.command("trove-standalone", "status", check=False)
    assert (status.returncode, status.stdout) == (1, "trove-standalone is not running.\n")


def test_the_end_of_the_service_itself_frees_them_too(running: Service) -> None:
    """As SIGTERM to what `status` shows has always done."""
    supervisor = psutil.Process(running.pid("supervisor"))
    psutil.Process(running.pid("standalone")).terminate()
    until(lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE)
    assert can_bind(running.api_port)


def test_a_killed_supervisor_ends_the_service_and_is_shown(running: Service) -> None:
    supervisor = running.pid("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: can_bind(running.api_port))
    status = running.command("trove-standalone", "status", check=False)
    assert status.returncode == 1
    assert f"not running: its supervisor, process {supervisor}, was killed" in status.stdout
    assert "the supervisor has ended, and so does the service" in running.log()


def test_a_start_right_after_the_supervisor_was_killed(running: Service) -> None:
    os.kill(running.pid("supervisor"), signal.SIGKILL)
    running.start()
    until(running.is_up, running.log)


def test_a_port_that_was_changed_is_in_use_after_a_restart(running: Service) -> None:
    """The supervisor has the environment of its start, so the change is in a file."""
    config = running.state.parent / "trove.conf"
    running.stop()
    environ = running.environ
    # It would come before the file.
    del environ["TROVE_DEFAULT_BIND_PORT"]
    spare = make_service()
    program = [str(BIN / "trove-standalone"), "--config-file", str(config)]

    def command(*words: str) -> str:
        return subprocess.run(
            [*program, *words], env=environ, check=True, capture_output=True, text=True
        ).stdout

    config.write_text(f"[DEFAULT]\nbind_port = {running.api_port}\n")
    try:
        command("start", "--detach")
        config.write_text(f"[DEFAULT]\nbind_port = {spare.api_port}\n")
        assert f":{spare.api_port}\n" in command("restart")
        until(lambda: can_bind(running.api_port))
        assert not can_bind(spare.api_port)
    finally:
        command("stop")
        shutil.rmtree(spare.state.parent)


@pytest.mark.skipif(not shutil.which(ACTIVATE), reason=f"{ACTIVATE} is not installed")
def test_an_init_system_holds_the_ports(service: Service) -> None:
    """Its sockets are used, and no supervisor is started beside it."""
    service.stop()
    listen = [f"--listen=127.0.0.1:{port}" for port in (service.api_port, service.conductor_port)]
    settings = [f"--setenv={name}={value}" for name, value in service.environ.items()]
    command = [ACTIVATE, *listen, *settings, str(BIN / "trove-standalone"), "start"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        # It starts the service at the first connection.
        until(service.is_up)
        assert service.pid("standalone") == process.pid
        assert [child.name() for child in psutil.Process(process.pid).children()] == []
        service.stop()
        assert process.wait(HANG) == 0
