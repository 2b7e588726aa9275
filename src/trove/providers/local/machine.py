"""What this machine lets the provider do; looked at once, when first needed."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from trove.processes import own_status
from trove.providers.local import capacity, programs
from trove.providers.local.cgroups import ControlGroups, find_control_groups

# Root of a container often lacks it (capabilities(7)).
CAP_SYS_ADMIN = 21
PROBE = (
    "--unshare-pid",
    "--unshare-ipc",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
)


class Machine:
    """Its means, and for what is missing the reason in words."""

    def __init__(self, isolation: str = "auto") -> None:
        self._isolation = isolation

    @cached_property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    @cached_property
    def may_mount(self) -> bool:
        return self.is_root and _may_administer()

    @cached_property
    def control_groups(self) -> ControlGroups:
        return find_control_groups()

    @cached_property
    def memory(self) -> int:
        """MiB."""
        return capacity.memory_of(self.control_groups)

    @cached_property
    def processes(self) -> int:
        """How many all servers may have together."""
        return capacity.processes_of(self.control_groups)

    @cached_property
    def locales(self) -> frozenset[str] | None:
        """Those of the C library, which sandboxes see too; None if it cannot be found out."""
        said = programs.output_of("locale", "-a")
        return frozenset(said.split()) if said is not None else None

    @cached_property
    def no_sandbox(self) -> str | None:
        """Why instances are not kept from each other's files; None if they are."""
        if self._isolation == "none":
            return "isolation is set to none"
        # Tried, for sysctls, AppArmor and a container's seccomp filter may each forbid namespaces.
        probe = (*(() if self.is_root else ("--unshare-user",)), *PROBE, "true")
        complaint = programs.run("bwrap", *probe)
        if complaint and not self.is_root:
            complaint += ", and instances run as the user who started the service"
        return complaint

    @cached_property
    def no_limited_volumes(self) -> str | None:
        """Why volumes have no file system of their own; None if they have."""
        if not self.may_mount:
            return "only root can mount a file system"
        missing = [p for p in ("mkfs.xfs", "xfs_growfs", "losetup") if programs.find(p) is None]
        if missing:
            return f"{missing[0]} is not installed"
        if not Path("/dev/loop-control").exists():
            return "this machine has no loop devices"
        return None if _knows_xfs() else "the kernel knows no XFS"

    @cached_property
    def no_small_volumes(self) -> str | None:
        """Why a server's own files are not limited; None if they are."""
        if programs.find("mkfs.ext4") is None:
            return "mkfs.ext4 is not installed"
        return self.no_limited_volumes


def _may_administer() -> bool:
    return bool(int(own_status()["CapEff"], 16) >> CAP_SYS_ADMIN & 1)


def _knows_xfs() -> bool:
    # /proc/filesystems lists only what is loaded; mount(8) loads the rest.
    modules = Path("/lib/modules") / os.uname().release / "kernel/fs/xfs"
    return "\txfs\n" in Path("/proc/filesystems").read_text() or modules.is_dir()
