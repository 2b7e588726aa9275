"""Control groups, version 1 or 2 as the machine has them: memory, processors, processes.

Law: the topmost group that may be written is the parent; every instance has one group in each
hierarchy, called as the instance is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from trove.errors import Unavailable
from trove.processes import PROC, Mount, mounts

PERIOD = 100_000
"""Microseconds in which processor time is counted."""
MIB = 1 << 20

Files = dict[str, int | str]


class Limits(NamedTuple):
    """What the processes of one server may have together."""

    memory: int
    """MiB."""
    vcpus: int
    processes: int
    """Threads included."""


FILES: Mapping[tuple[str, int], Callable[[Limits], Files]] = {
    ("memory", 1): lambda of: {"memory.limit_in_bytes": of.memory * MIB},
    ("memory", 2): lambda of: {"memory.max": of.memory * MIB, "memory.swap.max": 0},
    ("cpu", 1): lambda of: {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": of.vcpus * PERIOD},
    ("cpu", 2): lambda of: {"cpu.max": f"{of.vcpus * PERIOD} {PERIOD}"},
    ("pids", 1): lambda of: {"pids.max": of.processes},
    ("pids", 2): lambda of: {"pids.max": of.processes},
}
CEILINGS: Mapping[tuple[str, int], str] = {
    ("memory", 1): "memory.limit_in_bytes",
    ("memory", 2): "memory.max",
    ("pids", 1): "pids.max",
    ("pids", 2): "pids.max",
}
"""The files that limit all groups below the one that they are in."""
# Absent from kernels that do not count swap.
OPTIONAL = {"memory.swap.max"}
CONTROLLERS = ("memory", "cpu", "pids")


@dataclass(frozen=True)
class Parent:
    """A group of one hierarchy, such as the one below which instances get theirs."""

    directory: Path
    version: int


@dataclass(frozen=True)
class ControlGroups:
    """The groups of all instances; `parents` lacks what cannot be limited here."""

    parents: Mapping[str, Parent] = field(default_factory=dict)
    around: Mapping[str, Sequence[Parent]] = field(default_factory=dict)
    """The groups that this process is in itself."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The limits that nothing holds, in words."""
        words = {"memory": "memory", "cpu": "processors", "pids": "number of processes"}
        return tuple(
            f"{words[c]}: no control group for it can be written"
            for c in CONTROLLERS
            if c not in self.parents
        )

    def ensure(self, name: str, limits: Limits) -> list[Path]:
        """Make the groups with these limits; the directories that a process joins."""
        for controller, parent in self.parents.items():
            group = parent.directory / name
            group.mkdir(exist_ok=True)
            _limit(group, FILES[controller, parent.version](limits))
        return self._groups(name)

    def ceiling(self, controller: str) -> int | None:
        """What the groups above those of instances allow, for `memory` (bytes) or `pids`."""
        parent = self.parents.get(controller)
        groups = [parent] if parent else self.around.get(controller, ())
        found = [
            _number_in(directory / CEILINGS[controller, group.version])
            for group in groups
            for directory in (group.directory, *group.directory.parents)
        ]
        return min((number for number in found if number is not None), default=None)

    def processes_given(self, names: Iterable[str]) -> int:
        """How many processes the groups of these servers may have altogether."""
        parent = self.parents.get("pids")
        found = [_number_in(parent.directory / name / "pids.max") for name in names if parent]
        return sum(number for number in found if number is not None)

    def members(self, name: str) -> set[int]:
        """The processes in any of the groups."""
        found: set[int] = set()
        for group in self._groups(name):
            try:
                found.update(map(int, (group / "cgroup.procs").read_text().split()))
            except OSError:
                continue
        return found

    def remove(self, name: str, patience: float = 5.0) -> None:
        """Remove the groups, which must have no process any more."""
        deadline = time.monotonic() + patience
        for group in self._groups(name):
            while group.is_dir() and not _removed(group):
                # The kernel may call a group busy for a moment after its list has become empty.
                if time.monotonic() > deadline:
                    raise Unavailable(f"The control group {group} is still in use.")
                time.sleep(0.005)

    def _groups(self, name: str) -> list[Path]:
        # One directory for all in version 2, and where version 1 mounts controllers together.
        return sorted({parent.directory / name for parent in self.parents.values()})


def _limit(group: Path, files: Files) -> None:
    for name, value in files.items():
        path = group / name
        if name in OPTIONAL and not path.exists():
            continue
        try:
            path.write_text(str(value))
        except OSError as error:
            raise Unavailable(
                f"The limit {name} of {group.name} cannot be set to {value}: {error.strerror}."
            ) from error


def _number_in(path: Path) -> int | None:
    """None where nothing is limited ("max"), or such groups have no such file."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        # Another service may have been quicker.
        return not group.exists()
    return True


def find_control_groups(proc: Path = PROC) -> ControlGroups:
    """What this process may limit on this machine."""
    own = _own_groups(proc / "self" / "cgroup")
    parents: dict[str, Parent] = {}
    around: dict[str, list[Parent]] = {}
    hierarchies = [m for m in mounts(proc) if m.kind in {"cgroup", "cgroup2"}]
    for mount in hierarchies:
        for controller in CONTROLLERS:
            group = _group_at(mount, own, controller)
            if group is None:
                continue
            around.setdefault(controller, []).append(group)
            parent = _topmost(mount.point, group.directory, controller, group.version)
            if parent is not None:
                # Hybrid machines mount both versions; a controller is in one of them.
                parents.setdefault(controller, Parent(parent, group.version))
    return ControlGroups(parents, around)


def _group_at(mount: Mount, own: Mapping[str, str], controller: str) -> Parent | None:
    """The group of this hierarchy that this process is in."""
    version = 2 if mount.kind == "cgroup2" else 1
    group = own.get(controller if version == 1 else "")
    if group is None or (version == 1 and controller not in mount.options):
        return None
    return Parent(_inside(mount.point, mount.root, group), version)


def _own_groups(path: Path) -> dict[str, str]:
    """From lines such as `4:memory:/a/b` and `0::/a`: controller (none for v2) -> path."""
    lines = [line.split(":", 2) for line in path.read_text().splitlines()]
    return {c: group for _, names, group in lines for c in names.split(",")}


def _inside(mount: Path, root: str, own: str) -> Path:
    """Where our own group is seen below the mount point."""
    relative = own.removeprefix(root) if root != "/" else own
    group = mount / relative.strip("/")
    # A container may be given a path that it does not see.
    return group if group.is_dir() else mount


def _topmost(mount: Path, own: Path, controller: str, version: int) -> Path | None:
    line = [own, *own.parents]
    candidates = line[: line.index(mount) + 1]
    # Not below our own if it can be helped: that one may end with the service (systemd), and in
    # version 2 a group with processes hands nothing down ("no internal processes", cgroups(7)).
    for group in reversed(candidates):
        if os.access(group, os.W_OK) and (version == 1 or _can_hand_down(group, controller)):
            return group
    return None


def _can_hand_down(group: Path, controller: str) -> bool:
    """Whether groups below this one of version 2 have the controller."""
    if controller not in (group / "cgroup.controllers").read_text().split():
        return False
    control = group / "cgroup.subtree_control"
    if controller in control.read_text().split():
        return True
    try:
        # EBUSY where the group has processes of its own; the next one down is tried.
        control.write_text(f"+{controller}")
    except OSError:
        return False
    return True
