"""The script that runs an agent again whenever it ends; pauses take no time here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trove.providers.local.down_reason import agent_error
from trove.providers.local.sandbox import SUPERVISE


def supervised(place: Path, agent: str) -> tuple[int, list[str]]:
    """The exit status, and the pauses, of a supervisor with this script in place of the agent.

    `$n` is the number of its start.
    """
    programs = place / "bin"
    programs.mkdir()
    (programs / "sleep").write_text(f"#!/bin/sh\necho $1 >>{place}/pauses\n")
    (programs / "sleep").chmod(0o755)
    script = f"echo x >>{place}/starts; n=$(wc -l <{place}/starts); {agent}"
    (place / "logs").mkdir()
    log = place / "logs" / "agent.log"
    done = subprocess.run(
        ["/bin/sh", str(SUPERVISE), str(log), "/bin/sh", "-c", script],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    pauses = place / "pauses"
    return done.returncode, pauses.read_text().split() if pauses.exists() else []


def test_one_that_ends_with_0_is_not_started_again(tmp_path: Path) -> None:
    assert supervised(tmp_path, "echo done; exit 0") == (0, [])
    assert (tmp_path / "logs/agent.log").read_text() == "done\n"


def test_pauses_grow_up_to_a_quarter_of_a_minute(tmp_path: Path) -> None:
    _, pauses = supervised(tmp_path, "[ $n -lt 8 ]  && exit 1; exit 0")
    assert pauses == ["0", "1", "3", "7", "15", "15", "15"]


@pytest.mark.parametrize(("failures", "is_reported"), [(3, False), (4, True), (6, True)])
def test_one_that_keeps_ending_is_reported(
    tmp_path: Path, failures: int, is_reported: bool
) -> None:
    """Then its last words are found before the supervisor's line."""
    after = f"[ $n -le {failures} ] && echo cause $n >&2 && exit 3; cp {{0}} {{0}}.then; exit 0"
    supervised(tmp_path, after.format(tmp_path / "logs/agent.log"))
    then = (tmp_path / "logs/agent.log.then").read_text()
    line = f"supervise: ended {failures} times in a row, at last with status 3"
    assert then.endswith(f"cause {failures}\n{line}\n") is is_reported
    (tmp_path / "logs/agent.log").write_text(then)
    reason = agent_error(tmp_path / "logs", None)
    assert reason == (f"cause {failures}" if is_reported else "")
