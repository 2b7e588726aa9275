"""Servers on this machine: a sandbox with an agent and its engine, apart from the control plane.

A server lives for as long as its first process does, which holds a lock on its `alive` file.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from trove.errors import Failed, NotFound, Unavailable
from trove.locks import acquire_inherited, is_inherited_lock_held
from trove.providers.base import (
    ANYWHERE,
    Flavor,
    ResizeState,
    Scope,
    ServerSpec,
    ServerState,
    ServerView,
)
from trove.providers.local import processes, records
from trove.providers.local.capacity import limits_of
from trove.providers.local.down_reason import agent_error, down_reason
from trove.providers.local.images import Image, unmount
from trove.providers.local.launch import AgentCommand, Launch, agent_command
from trove.providers.local.layout import Layout, ServerFiles, make_folder, named_lock, remove_folder
from trove.providers.local.machine import Machine
from trove.providers.local.records import Owner, Record
from trove.providers.local.sandbox import RUN
from trove.providers.local.seeds import Seeds
from trove.providers.local.volumes import LocalVolumes

PATIENCE_DELETE = 2.0
"""Seconds for an engine to stop before it is killed, when its data is not needed any more."""
PATIENCE_STOP = 15.0
GRACE = 10.0
"""Seconds for what has just been started to come to where it can be found."""


class LocalCompute:
    """All state is in files and in the kernel; any process may do any call at any time."""

    def __init__(
        self,
        layout: Layout,
        machine: Machine,
        volumes: LocalVolumes,
        seeds: Seeds,
        agent: AgentCommand = agent_command,
    ) -> None:
        self._seeds = seeds
        self._layout = layout
        self._machine = machine
        self._volumes = volumes
        self._identities = seeds.identities
        self._agent = agent

    def ensure_server(self, spec: ServerSpec) -> str:
        """Raises Failed when its volume or engine has gone, or nothing may run here."""
        if spec.image and not Path(spec.image).is_dir():
            # Checked here: the sandbox would only report that a path does not exist.
            raise Failed(
                f"The programs of {spec.manager} {spec.version} are not in {spec.image} any more;"
                " install them there, or have trove-manage register where they are."
            )
        with self._held(spec.name) as files:
            volume = self._volumes.attach(spec.volume)
            make_folder(make_folder(self._layout.servers) / spec.name)
            # Mounted before it is furnished, or its files would lie hidden below the mount.
            self._volumes.attach_small(_agent_image(files))
            record = self._record(spec, files, volume)
            # Before its record: a server that exists is started whatever the others have.
            self._confine(spec.name, record.flavor, refuse=records.read_record(files) is None)
            records.furnish(files, volume, record, spec.agent_files)
            self._launch(spec.name, files, record)
        return spec.name

    def start_server(self, spec: ServerSpec) -> None:
        self.ensure_server(spec)

    def server_views(self, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        return {name: _view(self._layout.server(name)) for name in scopes}

    def names(self) -> Mapping[str, Scope]:
        """One machine has no scopes."""
        return dict.fromkeys(self._layout.server_names(), ANYWHERE)

    def stop_server(self, name: str) -> None:
        with self._held(name) as files:
            self._end(name, files, PATIENCE_STOP)

    def begin_resize(self, name: str, flavor: Flavor) -> None:
        """Allow the larger of both sizes at once; raises NotFound."""
        with self._held(name) as files:
            now = _record_of(name, files).flavor
            # Not of the catalog, and never shown: only limits, in which the engine changes over.
            memory, vcpus = max(now.memory, flavor.memory), max(now.vcpus, flavor.vcpus)
            self._limit(name, files, replace(flavor, memory=memory, vcpus=vcpus))

    def resize_state(self, name: str) -> ResizeState:
        """Every call above has finished when it returns."""
        return ResizeState.DONE

    def confirm_resize(self, name: str, flavor: Flavor) -> None:
        """Raises NotFound; Unavailable while the engine uses more than the new limit."""
        with self._held(name) as files:
            self._limit(name, files, flavor)

    def revert_resize(self, name: str, flavor: Flavor) -> None:
        """Raises NotFound; Unavailable while the engine uses more than the old limit."""
        self.confirm_resize(name, flavor)

    def delete_server(self, name: str) -> None:
        with self._held(name) as files:
            self._end(name, files, PATIENCE_DELETE)
            self._machine.control_groups.remove(name)
            unmount(files.agent)
            # `run` may lie elsewhere; first, without the directory nothing refers to it.
            for folder in (files.run, files.directory):
                remove_folder(folder)
            # Last: a number that is given again while a file still bears it would own that file.
            self._identities.release(name)

    def _limit(self, name: str, files: ServerFiles, flavor: Flavor) -> None:
        # The record first: a crash in between leaves the size that the next start takes.
        records.write_record(files, _record_of(name, files).resized(flavor))
        self._confine(name, flavor)

    def _confine(self, name: str, flavor: Flavor, *, refuse: bool = False) -> list[Path]:
        """Hold the server to its limits; the control groups that its processes are to join."""
        groups, machine = self._machine.control_groups, self._machine
        # One at a time, so that what one takes the next sees.
        with named_lock(self._layout.locks, "processes"):
            others = self._layout.server_names() - {name}
            left = machine.processes - groups.processes_given(others)
            return groups.ensure(name, limits_of(flavor, left, refuse=refuse))

    def _record(self, spec: ServerSpec, files: ServerFiles, volume: Path) -> Record:
        machine = self._machine
        # Without root every server runs as the caller.
        owner = None
        if machine.is_root:
            number = self._identities.ensure(spec.name)
            owner = Owner(number, number)
        run = files.run if machine.no_sandbox else RUN
        isolation = (f"isolation: {machine.no_sandbox}",) if machine.no_sandbox else ()
        missing = (
            *machine.control_groups.missing,
            *self._volumes.unenforced(spec.volume, _agent_image(files)),
        )
        engine = records.engine_spec_of(spec, files, volume, run)
        return Record(owner, engine, (*missing, *isolation), self._seeds.ensure(spec))

    def _launch(self, name: str, files: ServerFiles, record: Record) -> None:
        """Start the first process with the lock on `alive`, unless another process has it."""
        lock = acquire_inherited(files.alive)
        if lock is None:
            return
        try:
            # Where no PID namespace died with the supervisor, its agent and engine are left from
            # its last run, and two agents would work against each other.
            processes.end(lambda: self._processes(name), 0)
            groups = self._confine(name, record.flavor)
            Launch(name, files, record, self._machine, self._agent).run(groups, lock)
        finally:
            os.close(lock)

    def _end(self, name: str, files: ServerFiles, patience: float) -> None:
        """End every process, also one that has been started and is on its way to its group."""
        deadline = time.monotonic() + patience + GRACE
        processes.end(lambda: self._processes(name), patience)
        # A launch whose caller was killed has the lock before it is in its group.
        while is_inherited_lock_held(files.alive):
            if time.monotonic() > deadline:
                raise Unavailable(f"The server {name} lives, but none of its processes is found.")
            time.sleep(processes.LOOK_EVERY)
            processes.end(lambda: self._processes(name), 0)

    def _processes(self, name: str) -> set[int]:
        """Every process of this server."""
        # Nothing leaves a control group by forking, unlike an environment variable.
        if self._machine.control_groups.parents:
            return self._machine.control_groups.members(name)
        files = self._layout.server(name)
        if not files.directory.is_dir():
            return set()
        folders = (files.directory, files.run, self._layout.volume(name))
        return processes.marked(name, folders, self._identities.of(name))

    @contextlib.contextmanager
    def _held(self, name: str) -> Iterator[ServerFiles]:
        files = self._layout.server(name)
        # Against other threads and services: a delete must not meet a start half way.
        with named_lock(self._layout.locks, f"server.{name}"):
            try:
                yield files
            except (OSError, subprocess.SubprocessError) as error:
                raise Unavailable(f"The server {name} cannot be changed: {error}") from error


def _record_of(name: str, files: ServerFiles) -> Record:
    record = records.read_record(files)
    if record is None:
        raise NotFound(f"There is no server {name}.")
    return record


def _view(files: ServerFiles) -> ServerView:
    """What is wrong with the files of one server must not hide the others."""
    try:
        return _present(files)
    except OSError as error:
        return ServerView(ServerState.UNKNOWN, str(error))


def _present(files: ServerFiles) -> ServerView:
    record = records.read_record(files)
    if record is None:
        # The record is written when all else is there, so without one nothing has run.
        there = files.directory.is_dir()
        state = ServerState.DOWN if there else ServerState.ABSENT
        return ServerView(state, "its creation was interrupted" if there else "")
    if is_inherited_lock_held(files.alive):
        failing = agent_error(record.spec.logs, record.owner)
        return ServerView(ServerState.UP, unenforced=record.unenforced, agent_error=failing)
    detail = down_reason(files, record.spec.logs, record.owner)
    return ServerView(ServerState.DOWN, detail, record.unenforced)


def _agent_image(files: ServerFiles) -> Image:
    return Image(files.agent_image, files.agent, "ext4")
