"""What an agent knows of itself: the files in its directory.

`agent.json` and `place.json` are written by whoever made the server; `credential` and
`state.json` by the agent, and nobody else reads them.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from trove.datastores.base import Place
from trove.guestagent.files import read_json, write_json


class Start(msgspec.Struct):
    """`agent.json`: where the conductor is, and the one-time token."""

    conductor_url: str
    token: str
    authority: str | None = None
    """PEM: what the conductor's certificate is checked against, besides the system's own."""
    only_authority: bool = False
    """Whether the system's own count for nothing; reading them all takes a while, too."""


class PlaceFile(msgspec.Struct):
    """`place.json`: where the engine lives."""

    manager: str
    binaries: str
    data: str
    run: str
    config: str
    logs: str
    address: str
    port: int
    memory: int
    vcpus: int
    version: str | None = None
    settings: dict[str, str] = {}
    seed: str | None = None


class Credential(msgspec.Struct):
    """`credential`: written before it is first shown, so that no lost answer can lock us out."""

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
    """Unix time at which to ask for the next certificate; None if there is none yet."""


class Home:
    """The agent's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._place = read_json(directory / "place.json", PlaceFile)
        self._state = self._read_state()

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @property
    def start(self) -> Start:
        """Read anew each time: the token may have been replaced."""
        return read_json(self.directory / "agent.json", Start)

    @property
    def manager(self) -> str:
        return self._place.manager

    @property
    def place(self) -> Place:
        """Where the engine lives, with its present size."""
        file, state = self._place, self._state
        place = Place(
            binaries=Path(file.binaries),
            data=Path(file.data),
            run=Path(file.run),
            config=Path(file.config),
            logs=Path(file.logs),
            address=file.address,
            port=file.port,
            memory=file.memory,
            vcpus=file.vcpus,
            settings=file.settings,
            seed=Path(file.seed) if file.seed else None,
        )
        return replace(place, memory=state.memory or place.memory, vcpus=state.vcpus or place.vcpus)

    @property
    def state(self) -> State:
        return self._state

    def remember(self, **changes: Any) -> None:
        """Change the state; on disk when this returns."""
        with self._lock:
            changed = msgspec.structs.replace(self._state, **changes)
            if changed != self._state:
                write_json(self.directory / "state.json", changed)
                self._state = changed

    def credential(self) -> Credential:
        """The agent's own credential, made up on first use."""
        path = self.directory / "credential"
        try:
            return read_json(path, Credential)
        except FileNotFoundError:
            made = Credential(secrets.token_urlsafe(32))
            write_json(path, made)
            return made

    def accept(self, credential: Credential) -> None:
        """The conductor knows this credential."""
        write_json(self.directory / "credential", credential)

    def _read_state(self) -> State:
        try:
            return read_json(self.directory / "state.json", State)
        except FileNotFoundError:
            return State()
