"""Servers that are names with a state."""

from __future__ import annotations

from collections.abc import Mapping

from trove.errors import Failed, NotFound
from trove.providers.base import (
    ANYWHERE,
    Flavor,
    ResizeState,
    Scope,
    ServerSpec,
    ServerState,
    ServerView,
)


class NullCompute:
    """Every call has finished when it returns, so a resize has nothing to wait for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._states: dict[str, ServerState] = {}

    def ensure_server(self, spec: ServerSpec) -> str:
        if spec.name not in self._states and len(self._states) >= self._most:
            raise Failed(
                f"There are {self._most} servers, and [nullcloud] most_servers allows no more."
            )
        self._states[spec.name] = ServerState.UP
        return spec.name

    def server_views(self, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        return {name: ServerView(self._states.get(name, ServerState.ABSENT)) for name in scopes}

    def names(self) -> Mapping[str, Scope]:
        return dict.fromkeys(self._states, ANYWHERE)

    def start_server(self, spec: ServerSpec) -> None:
        self.ensure_server(spec)

    def stop_server(self, name: str) -> None:
        self._require(name)
        self._states[name] = ServerState.DOWN

    def begin_resize(self, name: str, flavor: Flavor) -> None:
        self._require(name)

    def resize_state(self, name: str) -> ResizeState:
        return ResizeState.DONE

    def confirm_resize(self, name: str, flavor: Flavor) -> None:
        self._require(name)

    def revert_resize(self, name: str, flavor: Flavor) -> None:
        self._require(name)

    def delete_server(self, name: str) -> None:
        self._states.pop(name, None)

    def _require(self, name: str) -> None:
        if name not in self._states:
            raise NotFound(f"There is no server {name}.")
