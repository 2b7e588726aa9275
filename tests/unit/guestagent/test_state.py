"""What an agent knows of itself, and files that are whole at any moment."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from trove.errors import Failed
from trove.guestagent.files import read_json
from trove.guestagent.state import AgentDirectory, Credential, State


def test_the_place_has_the_size_of_the_last_resize(
    agent_directory: AgentDirectory, directory: Path
) -> None:
    assert (agent_directory.spec.memory, agent_directory.spec.vcpus, agent_directory.spec.port) == (
        256,
        1,
        5432,
    )
    agent_directory.remember(memory=512, vcpus=2)
    again = AgentDirectory(directory)
    assert (again.spec.memory, again.spec.vcpus) == (512, 2)
    assert again.manager == "postgresql"
    assert again.spec.certificate == directory / "config" / "server.crt"


def test_what_should_be_survives(agent_directory: AgentDirectory, directory: Path) -> None:
    assert agent_directory.state == State()
    agent_directory.remember(desired="running", renew_at=5.0)
    assert AgentDirectory(directory).state == State(desired="running", renew_at=5.0)
    written = (directory / "state.json").stat().st_mtime_ns
    agent_directory.remember(desired="running")
    assert (directory / "state.json").stat().st_mtime_ns == written


def test_the_credential_is_on_disk_before_it_is_shown(
    agent_directory: AgentDirectory, directory: Path
) -> None:
    made = agent_directory.credential()
    assert len(made.credential) >= 32
    assert AgentDirectory(directory).credential() == made
    assert stat.S_IMODE((directory / "credential").stat().st_mode) == 0o600
    agent_directory.accept(Credential(made.credential, "i"))
    assert AgentDirectory(directory).credential().instance_id == "i"


def test_a_file_that_is_no_longer_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(Failed, match=r"state\.json"):
        read_json(tmp_path / "state.json", State)
