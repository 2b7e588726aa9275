"""Whether a service runs is known by the lock alone, and a query disturbs no start."""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.provider import Traces, boot, local_provider, settings_in
from trove.cli.services import standalone
from trove.cli.services.standalone import ACTIONS, lifecycle
from trove.cli.services.standalone.lifecycle import (
    held_lock,
    lock_file,
    running_pid,
    start_detached,
)
from trove.errors import Conflict, Failed
from trove.locks import acquire_inherited
from trove.processes import Process
from trove.settings import Settings

HOLD = """
import sys
from pathlib import Path
from trove.cli.services.standalone.lifecycle import held_lock
from trove.settings import Settings
with held_lock(Settings(state_directory=Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_directory=tmp_path)


@contextmanager
def holder(settings: Settings) -> Iterator[int]:
    command = [sys.executable, "-c", HOLD, str(settings.state_directory)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.stdin.close()


def test_the_holder_of_the_lock_is_found_whatever_the_file_says(settings: Settings) -> None:
    assert running_pid(settings) is None
    with holder(settings) as pid:
        assert lock_file(settings).read_text() == str(pid)
        lock_file(settings).write_text("1")
        assert running_pid(settings) == pid
        with pytest.raises(Conflict), held_lock(settings):
            pass
    assert lock_file(settings).read_text() == "1"
    assert running_pid(settings) is None


def test_the_lock_is_private_from_its_creation_on(settings: Settings) -> None:
    before = os.umask(0)
    try:
        with held_lock(settings):
            assert lock_file(settings).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


FOREIGN = "which is not the service"


def refusals(settings: Settings) -> Iterator[str]:
    """What each command answers while a foreign process holds the lock."""
    for words in ("start", "start --detach", "status", "stop", "remove --yes"):
        args = standalone._parser().parse_args(words.split())
        with pytest.raises(Conflict) as refusal:
            if words == "start":
                with held_lock(settings):
                    pass
            else:
                ACTIONS[args.action](settings, args)
        yield refusal.value.message


def test_a_lock_that_another_user_holds_is_not_the_services(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither named as the service, nor sent a signal."""
    monkeypatch.setattr(Process, "user", lambda process: os.getuid() + 1)
    with holder(settings) as pid:
        for message in refusals(settings):
            assert FOREIGN in message
            assert f"process {pid} of user {os.getuid() + 1}" in message
        assert psutil.pid_exists(pid)


def test_a_lock_whose_holder_has_no_number_is_not_the_services(settings: Settings) -> None:
    """The kernel says -1 for it, and a signal to -1 would end every process of the machine."""
    descriptor = acquire_inherited(lock_file(settings))
    assert descriptor is not None
    try:
        for message in refusals(settings):
            assert FOREIGN in message
            assert "not visible here" in message
    finally:
        os.close(descriptor)
    assert running_pid(settings) is None


def test_a_service_that_ends_while_it_is_looked_at_is_not_running(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([4_194_305, None, None])
    monkeypatch.setattr(lifecycle, "process_holding", lambda _: next(answers))
    lock_file(settings).touch()
    assert running_pid(settings) is None


@pytest.mark.parametrize("now", [None, 1], ids=["ended", "passed on"])
def test_only_the_service_is_signalled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, now: int | None
) -> None:
    """Its number may pass to another process between the look and the signal."""
    path = lock_file(settings)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as bystander:
        monkeypatch.setattr(lifecycle, "_holder_of", lambda *_: now)
        lifecycle._signal(settings, path, bystander.pid, signal.SIGTERM)
        assert bystander.poll() is None
        bystander.communicate()
    assert bystander.returncode == 0
    lifecycle._signal(settings, path, bystander.pid, signal.SIGTERM)  # gone: succeeds


def test_a_query_does_not_prevent_a_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service starts exactly while another process looks."""
    settings.state_directory.joinpath("standalone.lock").touch()
    real = fcntl.fcntl

    def query_and_start(*arguments: Any) -> Any:
        answer = real(*arguments)
        with holder(settings):
            return answer

    monkeypatch.setattr(fcntl, "fcntl", query_and_start)
    assert running_pid(settings) is None


def test_the_service_in_the_background_gets_its_arguments(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works in another directory, from which a relative path leads elsewhere."""
    started: list[list[str]] = []
    popen = subprocess.Popen

    def start(command: list[str], **options: object) -> object:
        started.append(command)
        return popen([sys.executable, "-c", ""], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(
        lifecycle, "_await_answer", lambda settings, process, output: process.wait()
    )
    monkeypatch.chdir(tmp_path)
    args = argparse.Namespace(bind_host="127.0.0.1", config_file=[Path("my.conf")], debug=True)
    assert start_detached(settings, args) == 1, "no service runs afterwards"
    words = " ".join(started[0])
    assert f"--config-file {tmp_path}/my.conf" in words
    assert "--debug" in words


def test_a_script_that_does_not_confirm_is_shown_how(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock_file(settings).touch()
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert lifecycle.remove(settings, argparse.Namespace(yes=False)) == 1
    assert "add --yes" in capsys.readouterr().err
    assert lock_file(settings).exists()


def denied(path: Path, *_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied", str(path))


@pytest.mark.parametrize(
    ("words", "method"),
    [
        ("start", "mkdir"),
        ("start --detach", "open"),
        ("start --detach", "mkdir"),
        ("status", "open"),
        ("stop", "open"),
        ("remove --yes", "exists"),
    ],
)
def test_a_state_directory_of_another_user_is_refused(
    tmp_path: Path, words: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "theirs"
    settings = Settings(state_directory=state)
    args = standalone._parser().parse_args(words.split())
    monkeypatch.setattr(Path, method, denied)
    with pytest.raises(Failed, match=f"The state directory {state} cannot be used: Permission"):
        if words == "start":
            with held_lock(settings):
                pass
        else:
            ACTIONS[args.action](settings, args)


@pytest.mark.parametrize("metadata", [None, "not a database, and longer than a header " * 20])
def test_remove_needs_no_metadata(
    tmp_path: Path, metadata: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    state = tmp_path / "state"
    state.mkdir(mode=0o711)
    name = f"trove-{uuid.uuid4()}"
    boot(local_provider(state), name)
    if metadata:
        (state / "trove.sqlite").write_text(metadata)
    assert lifecycle.remove(settings_in(state), argparse.Namespace(yes=True)) == 0
    assert not state.exists()
    assert not Traces.of(name, state)


def test_a_start_that_fails_shows_its_own_log_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle.log_file(settings).write_text("an error of the run before\n")
    popen, args = subprocess.Popen, standalone._parser().parse_args(["start", "--detach"])

    def fail(command: list[str], **options: object) -> object:
        words = [sys.executable, "-c", "print('what is wrong now')"]
        return popen(words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(Failed) as refusal:
        start_detached(settings, args)
    assert refusal.value.message == "the service ended at once:\nwhat is wrong now"


def test_a_mount_point_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secrets.key").touch()
    (tmp_path / "trove.sqlite").touch()
    lifecycle._clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
