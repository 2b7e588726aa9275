"""What is shown of a server that is down; its user may have put anything where its log was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trove.providers.local.down_reason import LONGEST, agent_error, down_reason
from trove.providers.local.layout import ServerFiles
from trove.providers.local.records import Owner

NOTHING = "none of its processes runs"
ENDED = "supervise: ended 4 times in a row, at last with status 1\n"
TRACEBACK = """Traceback (most recent call last):
  File "/srv/trove/agent.py", line 12, in <module>
    import engine
ModuleNotFoundError: No module named 'engine'
"""


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    found = ServerFiles(tmp_path / "server")
    found.directory.mkdir()
    return found


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    found = tmp_path / "volume" / "logs"
    found.mkdir(parents=True)
    return found


def test_a_launch_that_failed_is_shown_first(files: ServerFiles, logs: Path) -> None:
    files.log.write_text("one\nbwrap: no such directory\n")
    (logs / "agent.log").write_text("it ran once\n")
    assert down_reason(files, logs, None) == "bwrap: no such directory"


@pytest.mark.parametrize("launch", ["", "\n", None])
def test_else_the_end_of_the_agents_log(files: ServerFiles, logs: Path, launch: str | None) -> None:
    if launch is not None:
        files.log.write_text(launch)
    (logs / "agent.log").write_text("".join(f"line {n}\n" for n in range(2000)))
    assert down_reason(files, logs, None) == "line 1997; line 1998; line 1999"


def test_it_is_short_and_readable(files: ServerFiles, logs: Path) -> None:
    (logs / "agent.log").write_bytes(b"\xff" + b"x" * 9000)
    assert down_reason(files, logs, None) == "x" * LONGEST


def put_nothing(log: Path) -> None:
    log.parent.rmdir()


def put_link(log: Path) -> None:
    secret = log.parent.parent / "secret"
    secret.write_text("secret")
    log.symlink_to(secret)


def put_pipe(log: Path) -> None:
    os.mkfifo(log)


def put_folder(log: Path) -> None:
    log.mkdir()


def put_linked_folder(log: Path) -> None:
    elsewhere = log.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "agent.log").write_text("secret")
    log.parent.rmdir()
    log.parent.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "put",
    [put_nothing, put_link, put_pipe, put_folder, put_linked_folder],
    ids=lambda f: f.__name__,
)
def test_what_is_no_log_is_not_read(
    files: ServerFiles, logs: Path, put: Callable[[Path], None]
) -> None:
    put(logs / "agent.log")
    assert down_reason(files, logs, None) == NOTHING
    assert agent_error(logs, None) == ""


def test_a_file_of_another_user_is_not_read(files: ServerFiles, logs: Path) -> None:
    (logs / "agent.log").write_text(f"secret\n{ENDED}")
    assert agent_error(logs, Owner(os.getuid() + 1, 0)) == ""
    (logs / "agent.log").write_text("secret")
    assert down_reason(files, logs, Owner(os.getuid() + 1, 0)) == NOTHING
    assert down_reason(files, logs, Owner(os.getuid(), 0)) == "secret"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        (TRACEBACK, ""),
        (TRACEBACK + ENDED, "ModuleNotFoundError: No module named 'engine'"),
        (f"{TRACEBACK}{ENDED}{TRACEBACK}{ENDED}", "ModuleNotFoundError: No module named 'engine'"),
        (f"{TRACEBACK}{ENDED}{ENDED}", "ModuleNotFoundError: No module named 'engine'"),
        (f"{TRACEBACK}{ENDED}2026 INFO enrolled\n", ""),
        (ENDED, ENDED.strip()),
        (f"{'x' * 9000}\n{ENDED}", "x" * LONGEST),
        (f"  indented  \n{ENDED}", "indented"),
    ],
)
def test_the_last_words_of_an_agent_that_keeps_ending(logs: Path, log: str, reason: str) -> None:
    (logs / "agent.log").write_text(log)
    assert agent_error(logs, None) == reason


def test_an_agent_without_a_log_says_nothing(logs: Path) -> None:
    assert agent_error(logs, None) == ""
