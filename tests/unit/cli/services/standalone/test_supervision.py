"""Commands look at the service and at its supervisor, each by its own lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import HANG
from trove.cli.services import standalone
from trove.cli.services.standalone import ACTIONS, lifecycle
from trove.cli.services.standalone.lifecycle import (
    await_end_of_killed,
    lock_file,
    running_pid,
    supervisor_file,
    supervisor_pid,
)
from trove.cli.services.supervisor import RESTART
from trove.errors import Conflict
from trove.settings import Settings

# What holds these locks until it gets a signal, whose number it then prints.
HOLD = """
import os, signal, sys
from pathlib import Path
from trove.cli.services.standalone.lifecycle import held_lock, supervising
from trove.settings import Settings
numbers = [signal.SIGTERM, signal.SIGUSR1]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
with {"service": held_lock, "supervisor": supervising}[sys.argv[2]](Settings(Path(sys.argv[1]))):
    print("held", flush=True)
    print(int(signal.sigwait(numbers)), flush=True)
"""

NAMES = ("service", "supervisor")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_directory=tmp_path)


@contextmanager
def held(settings: Settings, name: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A process that passes for the service, or for its supervisor."""
    command = [sys.executable, "-c", HOLD, str(settings.state_directory), name]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def run(settings: Settings, words: str) -> int:
    args = standalone._parser().parse_args(words.split())
    return ACTIONS[args.action](settings, args)


def signal_to(process: subprocess.Popen[str]) -> int:
    assert process.wait(HANG) == 0
    assert process.stdout
    return int(process.stdout.readline())


@pytest.mark.parametrize("names", [NAMES, ["service"], ["supervisor"]], ids="+".join)
def test_a_stop_ends_both_or_the_one_that_is_left(
    settings: Settings, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A service of the first release has no supervisor."""
    with ExitStack() as stack:
        processes = [stack.enter_context(held(settings, name)) for name in names]
        assert run(settings, "stop") == 0
        assert [signal_to(process) for process in processes] == [signal.SIGTERM] * len(names)
    assert capsys.readouterr().out == "trove-standalone has stopped.\n"
    assert run(settings, "stop") == 0
    assert capsys.readouterr().out == "trove-standalone was not running.\n"


def test_each_lock_shows_its_own_process(settings: Settings) -> None:
    with held(settings, "service") as service, held(settings, "supervisor") as supervisor:
        assert running_pid(settings) == service.pid
        assert supervisor_pid(settings) == supervisor.pid
        assert lock_file(settings).read_text() == str(service.pid)
        assert supervisor_file(settings).read_text() == str(supervisor.pid)
        with pytest.raises(Conflict, match="runs in .* already"), lifecycle.supervising(settings):
            pass


@pytest.mark.parametrize(
    ("names", "environ", "code", "expected"),
    [
        (NAMES, {}, 0, "runs as process {service}"),
        (["service"], {}, 0, "no supervisor; `trove-standalone restart` adds one"),
        (["service"], {"NOTIFY_SOCKET": "/run/notify"}, 0, "runs as process {service}"),
        (["supervisor"], {}, 1, "not running now: its supervisor, process {supervisor}, starts"),
        ([], {}, 1, "trove-standalone is not running.\n"),
    ],
)
def test_what_status_shows(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    environ: dict[str, str],
    code: int,
    expected: str,
) -> None:
    with ExitStack() as stack:
        running = {name: stack.enter_context(held(settings, name, **environ)) for name in names}
        assert run(settings, "status") == code
        pids = {name: process.pid for name, process in running.items()}
    shown = capsys.readouterr().out
    assert expected.format(**pids) in shown
    assert ("no supervisor" in shown) == ("no supervisor" in expected)


def test_a_supervisor_that_was_killed_is_shown_until_the_next_start(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(settings, "supervisor") as supervisor:
        pass
    assert run(settings, "status") == 1
    assert f"supervisor, process {supervisor.pid}, was killed" in capsys.readouterr().out
    with held(settings, "supervisor") as next_one:
        assert supervisor_file(settings).read_text() == str(next_one.pid)


def test_a_restart_is_a_signal_to_the_supervisor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "_is_healthy", lambda _: True)
    with ExitStack() as stack:
        supervisor = stack.enter_context(held(settings, "supervisor"))
        old = stack.enter_context(held(settings, "service"))
        real = lifecycle._await

        def restarted(condition: object, seconds: float, otherwise: str) -> None:
            """What the supervisor does meanwhile."""
            assert callable(condition)
            assert not condition(), "the old process does not count"
            old.kill()
            old.wait()
            assert not condition()
            stack.enter_context(held(settings, "service"))
            real(condition, seconds, otherwise)

        monkeypatch.setattr(lifecycle, "_await", restarted)
        assert run(settings, "restart") == 0
        assert f"runs as process {running_pid(settings)}\n" in capsys.readouterr().out
        assert running_pid(settings) != old.pid
        assert signal_to(supervisor) == RESTART


@pytest.mark.parametrize("names", [["service"], []], ids=["no supervisor", "not running"])
def test_a_restart_without_a_supervisor_is_a_stop_and_a_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr(lifecycle, "start_detached", lambda *_: 17)
    with ExitStack() as stack:
        processes = [stack.enter_context(held(settings, name)) for name in names]
        assert run(settings, "restart") == 17
        assert [signal_to(process) for process in processes] == [signal.SIGTERM] * len(names)


def test_what_the_init_system_runs_is_restarted_there(settings: Settings) -> None:
    with (
        held(settings, "service", NOTIFY_SOCKET="/run/systemd/notify") as service,
        pytest.raises(Conflict, match="systemctl restart trove-standalone"),
    ):
        run(settings, "restart")
    assert service.returncode == -signal.SIGKILL, "it got no signal but the test's"


def test_a_start_waits_for_a_service_that_ends_with_its_supervisor(settings: Settings) -> None:
    await_end_of_killed(settings)
    with held(settings, "service") as service:
        service.kill()
        await_end_of_killed(settings)
        assert running_pid(settings) is None


def test_a_start_gives_up_on_a_service_that_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "KILLED_SECONDS", 0.0)
    with held(settings, "service") as service:
        await_end_of_killed(settings)
        assert running_pid(settings) == service.pid


def test_a_second_start_waits_for_the_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose service may be between two attempts of its supervisor."""
    with ExitStack() as stack:

        def serves(_: Settings) -> bool:
            stack.enter_context(held(settings, "service"))
            return True

        monkeypatch.setattr(lifecycle, "_serves", serves)
        stack.enter_context(held(settings, "supervisor"))
        for _ in range(2):
            assert run(settings, "start --detach") == 0
            shown = capsys.readouterr().out
            assert f"runs as process {running_pid(settings)}\n" in shown
