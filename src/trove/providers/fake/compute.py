"""Servers that are a line in the books, and UP from the moment they are made."""

from __future__ import annotations

import dataclasses

from trove.providers.base import Flavor, ServerSpec, ServerState, ServerView
from trove.providers.fake.world import FakeWorld


class FakeCompute:
    """Its servers hold every limit; `FakeWorld.change("server", name, state=...)` breaks one."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def ensure_server(self, spec: ServerSpec) -> str:
        self.world.create("server", spec.name, _record_of(spec))
        return f"server-{spec.name}"

    def server_view(self, name: str) -> ServerView:
        record = self.world.get("server", name)
        if record is None:
            return ServerView(ServerState.ABSENT)
        state = ServerState(record["state"])
        return ServerView(state, detail=record["detail"], unenforced=tuple(record["unenforced"]))

    def start_server(self, spec: ServerSpec) -> None:
        if not self.world.create("server", spec.name, _record_of(spec)):
            self.world.change("server", spec.name, state=ServerState.UP.value, detail="")

    def stop_server(self, name: str) -> None:
        self.world.change("server", name, state=ServerState.DOWN.value, detail="stopped")

    def resize_server(self, name: str, flavor: Flavor) -> None:
        self.world.change("server", name, flavor=dataclasses.asdict(flavor))

    def delete_server(self, name: str) -> None:
        self.world.delete("server", name)


def _record_of(spec: ServerSpec) -> dict[str, object]:
    record = dataclasses.asdict(spec)
    record["agent_files"] = dict(spec.agent_files)
    record["nics"] = [dict(nic) for nic in spec.nics]
    return record | {"state": ServerState.UP.value, "detail": "", "unenforced": []}
