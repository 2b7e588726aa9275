"""The files in an agent's directory.

`agent.json` and `place.json` are written by the provider that makes the server; `credential` and
`state.json` by the agent, and no other process reads them.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any

import msgspec

from trove.errors import Failed
from trove.guestagent.files import read_json, write_json
from trove.protocol.engine_spec import EngineSpec


class Start(msgspec.Struct):
    """`agent.json`: where the conductor is, and the one-time token."""

    conductor_url: str
    token: str
    authority: str | None = None
    """PEM: what the conductor's certificate is checked against, besides the system's own."""
    only_authority: bool = False
    """Whether the system's own count for nothing; reading them all takes a while, too."""


class Credential(msgspec.Struct):
    """`credential`: written before it is first sent, so that a lost answer costs nothing."""

    credential: str
    instance_id: str | None = None
    """None until the conductor has accepted the credential."""


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """`state.json`: what must be so again after a restart of agent or machine."""

    desired: str | None = None
    """`running` or `stopped`; None before the engine was prepared."""
    memory: int | None = None
    """MiB, since the last resize."""
    vcpus: int | None = None
    renew_at: float | None = None
    """Unix time at which to request the next certificate; None if there is none yet."""


class AgentDirectory:
    """The directory of one agent, by its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._spec = _read_spec(path / "place.json")
        self._state = self._read_state()

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def long_tasks(self) -> Path:
        """A directory for each long task that runs."""
        return self.path / "long"

    @property
    def start(self) -> Start:
        """Read each time: the token may have been replaced."""
        return read_json(self.path / "agent.json", Start)

    @property
    def manager(self) -> str:
        return self._spec.manager

    @property
    def spec(self) -> EngineSpec:
        """Where the engine is, with its present size."""
        spec, state = self._spec, self._state
        return spec.resized(state.memory or spec.memory, state.vcpus or spec.vcpus)

    @property
    def state(self) -> State:
        return self._state

    def remember(self, **changes: Any) -> None:
        """Change the state; on disk when this returns."""
        with self._lock:
            changed = msgspec.structs.replace(self._state, **changes)
            if changed != self._state:
                write_json(self.path / "state.json", changed)
                self._state = changed

    def credential(self) -> Credential:
        """The agent's own credential, created on first use."""
        path = self.path / "credential"
        try:
            return read_json(path, Credential)
        except FileNotFoundError:
            made = Credential(secrets.token_urlsafe(32))
            write_json(path, made)
            return made

    def accept(self, credential: Credential) -> None:
        """The conductor knows this credential."""
        write_json(self.path / "credential", credential)

    def _read_state(self) -> State:
        try:
            return read_json(self.path / "state.json", State)
        except FileNotFoundError:
            return State()


def _read_spec(path: Path) -> EngineSpec:
    """Raises Failed when the file is not what it should be."""
    try:
        return EngineSpec.from_json(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise Failed(f"{path} cannot be read: {error}") from None
