"""Servers that are records, and UP as soon as they are made unless the world is asynchronous."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from trove.errors import NotFound
from trove.providers.base import (
    ANYWHERE,
    Flavor,
    ResizeState,
    Scope,
    ServerSpec,
    ServerState,
    ServerView,
)
from trove.providers.fake.world import FakeWorld, is_pending, scope_of

BUILDING = {"state": ServerState.BUILDING.value}


class FakeCompute:
    """Its servers hold every limit; `FakeWorld.change("server", name, state=...)` breaks one."""

    def __init__(self, world: FakeWorld, scope: Scope) -> None:
        self.world = world
        self.scope = scope

    def ensure_server(self, spec: ServerSpec) -> str:
        self._create(spec)
        return f"server-{spec.name}"

    def server_views(self, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        self.world.requests.append(len(scopes))
        return {name: self._view(name, scope) for name, scope in scopes.items()}

    def names(self) -> Mapping[str, Scope]:
        return self.world.scopes("server")

    def start_server(self, spec: ServerSpec) -> None:
        if not self._create(spec):
            up = ServerState.UP.value
            self.world.change("server", spec.name, BUILDING, state=up, detail="")

    def stop_server(self, name: str) -> None:
        self.world.change("server", name, state=ServerState.DOWN.value, detail="stopped")

    def begin_resize(self, name: str, flavor: Flavor) -> None:
        self._resize(name, flavor, ResizeState.READY)

    def resize_state(self, name: str) -> ResizeState:
        record = self.world.look("server", name)
        if record is None:
            return ResizeState.FAILED
        if is_pending(record, "resize"):
            return ResizeState.PENDING
        return ResizeState(record["resize"])

    def confirm_resize(self, name: str, flavor: Flavor) -> None:
        self._resize(name, flavor, ResizeState.DONE)

    def revert_resize(self, name: str, flavor: Flavor) -> None:
        self._resize(name, flavor, ResizeState.DONE)

    def delete_server(self, name: str) -> None:
        self.world.delete("server", name)

    def _create(self, spec: ServerSpec) -> bool:
        record = asdict(spec) | {"nics": [dict(nic) for nic in spec.nics]} | asdict(self.scope)
        record |= {"state": ServerState.UP.value, "detail": "", "unenforced": []}
        record |= {"resize": ResizeState.DONE.value}
        return self.world.create("server", spec.name, record, BUILDING)

    def _view(self, name: str, scope: Scope) -> ServerView:
        record = self.world.look("server", name)
        # As in a cloud, where no one sees the servers of another project.
        if record is None or scope not in {ANYWHERE, scope_of(record)}:
            return ServerView(ServerState.ABSENT)
        state = ServerState(record["state"])
        unenforced = tuple(record["unenforced"])
        return ServerView(state, record["detail"], unenforced, record.get("agent_error", ""))

    def _resize(self, name: str, flavor: Flavor, state: ResizeState) -> None:
        if self.world.get("server", name) is None:
            raise NotFound(f"There is no server {name}.")
        self.world.change("server", name, flavor=asdict(flavor), resize=state.value)
