"""The data directory of an engine: made again after a crash of the engine's own program, once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from trove.datastores import process
from trove.datastores.server import Program, Server
from trove.errors import Crashed, Failed
from trove.protocol.engine_spec import EngineSpec


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(process, "refuse_root", lambda title: None)
    names = ("binaries", "data", "run", "config", "logs")
    folders: dict[str, Any] = {name: tmp_path / name for name in names}
    for folder in folders.values():
        folder.mkdir()
    spec = EngineSpec(
        manager="m", version="1", address="127.0.0.1", port=1, memory=64, vcpus=1, **folders
    )
    program = Program(
        title="Engine",
        name="no-such-engine",
        directory="engine",
        configuration=folders["config"] / "engine.conf",
        pid_file=folders["run"] / "engine.pid",
        endings=[(SIGTERM, 1.0)],
    )
    return Server(spec, program)


def failing(server: Server, *errors: Exception | None) -> Callable[[], None]:
    """Finds an empty place, leaves something in it, and then fails with each of these in turn."""
    left = list(errors)

    def make() -> None:
        server.directory.mkdir()
        (server.directory / "half").touch()
        if error := left.pop(0):
            raise error

    return make


def test_after_a_crash_the_directory_is_made_once_more(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        server.prepare(failing(server, Crashed("signal 11"), None))
    assert server.is_prepared()
    assert "Engine: again, from an empty directory: signal 11" in caplog.text


@pytest.mark.parametrize(
    "errors",
    [[Failed("no space")], [Crashed("one"), Crashed("two")], [Crashed("one"), Failed("no space")]],
    ids=["gives up", "crashes twice", "crashes, then gives up"],
)
def test_what_fails_otherwise_or_again_has_failed(server: Server, errors: list[Exception]) -> None:
    with pytest.raises(Failed) as failure:
        server.prepare(failing(server, *errors))
    assert failure.value is errors[-1]
    assert not server.is_prepared()


def test_the_next_attempt_starts_over(server: Server) -> None:
    with pytest.raises(Failed):
        server.prepare(failing(server, Failed("no space")))
    server.prepare(failing(server, None))
    assert server.is_prepared()
    server.prepare(failing(server))


def test_what_was_configured_is_read_again(server: Server) -> None:
    server.configure({"engine.options": "--a=1\n--b"})
    assert server.configured("engine.options") == "--a=1\n--b"


@pytest.mark.parametrize("name", ["engine.options", "folder"])
def test_an_engine_that_was_not_configured_is_not_started(server: Server, name: str) -> None:
    """What cannot be read is a failure with a reason, never an error of the operating system."""
    (server.spec.config / "folder").mkdir()
    with pytest.raises(Failed, match=f"^Engine is not configured: .*config/{name}'"):
        server.configured(name)


def test_another_users_engine_is_the_reason_why_its_files_cannot_be_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(program: str, configuration: Path) -> int | None:
        return 42 if (program, configuration.name) == ("no-such-engine", "engine.conf") else None

    monkeypatch.setattr(process, "process_of_another_user", found)
    server.configure({"engine.options": "secret"})
    for refused in (lambda: server.configured("engine.options"), server.stop):
        with pytest.raises(Failed, match="runs as another user .process 42"):
            refused()
