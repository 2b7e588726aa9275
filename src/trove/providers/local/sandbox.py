"""The command lines that shut a server in: bubblewrap, and a user of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trove
from trove.entry_points import DATASTORES, TASKS, sources
from trove.errors import Failed
from trove.providers.local import programs
from trove.providers.local.layout import ServerFiles
from trove.providers.local.machine import Machine
from trove.providers.local.records import Owner, Record

HERE = Path(__file__).parent
LAUNCH, SUPERVISE = HERE / "launch.sh", HERE / "supervise.sh"
ACCOUNTS = HERE / "accounts.sh"
RUN = Path("/run/trove")
"""Where a sandbox sees its sockets: a short path."""
MIB = 1 << 20
RUN_SIZE = 8 * MIB

# Links into /usr on a merged system (Debian 12), directories on others.
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SETTINGS = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What is shown of /etc, where it exists; accounts and names are the sandbox's own."""


@dataclass(frozen=True)
class Tenant:
    """Who lives in a sandbox, with what."""

    files: ServerFiles
    record: Record

    @property
    def as_root(self) -> bool:
        """Whether it is root who makes the sandbox, and gives it a user of its own."""
        return self.record.owner is not None

    @property
    def owner(self) -> Owner:
        return self.record.owner or Owner(os.getuid(), os.getgid())

    @property
    def volume(self) -> Path:
        return self.record.spec.data

    @property
    def image(self) -> Path | None:
        """The directory of the engine's programs."""
        return None if self.record.spec.binaries == Path() else self.record.spec.binaries

    @property
    def seed(self) -> Path | None:
        """A data directory to copy, which need not be there any more."""
        seed = self.record.seed
        return seed if seed and seed.is_dir() else None


def shut_in(tenant: Tenant, machine: Machine, command: Sequence[str]) -> list[str]:
    """The command line by which this command is the tenant's, with all that this machine can do."""
    inner = [*become(tenant.owner), *command] if tenant.as_root else [*command]
    write_etc(tenant)
    if machine.no_sandbox is None:
        return [*sandbox(tenant), "--", *inner]
    unshare = programs.find("unshare")
    if unshare is None or not machine.may_mount:
        return inner
    # Slave: what is mounted here is seen nowhere else, and a volume that is unmounted outside goes
    # from here too; with unshare's own default, private, it would stay busy (mount_namespaces(7)).
    apart = [unshare, "--mount", "--propagation=slave", "--", "/bin/sh", str(ACCOUNTS)]
    return [*apart, str(tenant.files.etc), *inner]


def write_etc(tenant: Tenant) -> None:
    """The files by which programs in the sandbox know their own user."""
    tenant.files.etc.mkdir(exist_ok=True)
    tenant.files.etc.chmod(0o755)
    contents = {
        "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"trove:x:{tenant.owner.uid}:{tenant.owner.gid}:Trove:{tenant.files.agent}:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "group": f"root:x:0:\ntrove:x:{tenant.owner.gid}:\nnogroup:x:65534:\n",
        # The machine's may name sources (sss, systemd) whose sockets are not in here.
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    }
    for name, content in contents.items():
        path = tenant.files.etc / name
        path.write_text(content)
        path.chmod(0o644)


def become(owner: Owner) -> list[str]:
    """Another user, with no way back: no capabilities, and no set-user-id programs."""
    setpriv = programs.find("setpriv")
    if setpriv is None:
        raise Failed("setpriv is not installed, so engines could only run as root; install it.")
    drop = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    return [setpriv, f"--reuid={owner.uid}", f"--regid={owner.gid}", *drop, "--"]


def sandbox(tenant: Tenant) -> list[str]:
    """Bubblewrap's part: only the machine's programs, and what is the tenant's own."""
    bwrap = programs.find("bwrap")
    assert bwrap is not None, "the machine was probed with it"
    # The network is shared, for the address is the machine's. No --die-with-parent: a server
    # outlives the service that made it.
    spaces = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    # The kernel takes 64 bytes (sethostname(2)).
    name = ["--hostname", tenant.files.directory.name[:60]]
    # What setpriv needs to change the user and to empty the bounding set; it keeps none of them.
    kept = [o for cap in ("SETUID", "SETGID", "SETPCAP") for o in ("--cap-add", f"CAP_{cap}")]
    who = ["--cap-drop", "ALL", *kept] if tenant.as_root else ["--unshare-user"]
    files = [*_system(), *_scratch(tenant.record.flavor.memory), *_visible(tenant), *_own(tenant)]
    # The supervisor is PID 1 itself, so that the kernel ends all in here when it dies, and
    # detached engines become its children (pid_namespaces(7)).
    return [bwrap, "--as-pid-1", *spaces, *name, *who, *files, "--chdir", "/"]


@cache
def _system() -> tuple[str, ...]:
    """Programs and libraries, read-only, with the links between them as this machine has them."""
    args = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc"]
    for path in (Path("/") / name for name in SYSTEM):
        if path.is_symlink():
            args += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            args += ["--ro-bind", str(path), str(path)]
    args += ["--perms", "0755", "--dir", "/etc/ssl"]
    for path in (Path("/etc") / name for name in SETTINGS):
        args += ["--ro-bind-try", str(path), str(path)]
    # Whatever the machine's zone is. Without the file, the list of zones has a link to nowhere, and
    # PostgreSQL refuses to list them.
    args += ["--symlink", "/usr/share/zoneinfo/UTC", "/etc/localtime"]
    return (*args, "--proc", "/proc", "--dev", "/dev")


def _scratch(memory: int) -> list[str]:
    """Temporary files and shared memory live in the server's memory, and count in it."""
    size = ["--size", str(memory * MIB), "--perms", "1777", "--tmpfs"]
    return [*size, "/tmp", *size, "/dev/shm"]  # noqa: S108 - the sandbox's own


def _visible(tenant: Tenant) -> list[str]:
    """Python, Trove, packages and the engine, where they are outside the system's directories."""
    # What lies below another needs no mount of its own, and /usr is there already.
    found: list[Path] = [Path("/usr")]
    seed = (tenant.seed,) if tenant.seed else ()
    for path in (*_python(), *_engine(tenant.image), *seed):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return [option for path in found[1:] for option in _bind("--ro-bind", path)]


@cache
def _python() -> tuple[Path, ...]:
    package = Path(trove.__file__).parent
    real = Path(sys.executable).resolve().parent.parent
    # A virtual environment has links into another Python, and the package may be elsewhere still;
    # so may those that the agent imports by their entry points, if they are editable.
    more = (path for group in (DATASTORES, TASKS) for path in sources(group) if path.exists())
    return (Path(sys.base_prefix), real, Path(sys.prefix), package, *more)


def _engine(image: Path | None) -> list[Path]:
    """An engine's programs and what they need: the whole package that they are part of."""
    if image is None:
        return []
    found = []
    # Both ways: programs are called by the one, and find their libraries by the other.
    for path in dict.fromkeys((image, image.resolve())):
        site = [p for p in path.parents if p.name in {"site-packages", "node_modules"}]
        whole = path.name in {"bin", "sbin"} and (path.parent / "share").is_dir()
        found.append(site[0] if site else path.parent if whole else path)
    return found


def _own(tenant: Tenant) -> list[str]:
    etc = [(tenant.files.etc / n, n) for n in ("passwd", "group", "nsswitch.conf", "hosts")]
    settings = [o for source, name in etc for o in ("--ro-bind", str(source), f"/etc/{name}")]
    return [
        *settings,
        *_run(tenant),
        *_bind("--bind", tenant.files.agent),
        *_bind("--bind", tenant.volume),
    ]


def _run(tenant: Tenant) -> list[str]:
    """Sockets, in memory where the sandbox is root's: no disk can be filled through them."""
    parent = ["--perms", "0755", "--dir", str(RUN.parent)]
    if tenant.as_root:
        # All may write: it belongs to root, and only the tenant is in here.
        return [*parent, "--size", str(RUN_SIZE), "--perms", "1777", "--tmpfs", str(RUN)]
    return [*parent, "--bind", str(tenant.files.run), str(RUN)]


def _bind(how: str, path: Path) -> list[str]:
    """Show it where it is; the sandbox's user must be able to get there."""
    way = [o for p in reversed(path.parents[:-1]) for o in ("--perms", "0755", "--dir", str(p))]
    return [*way, how, str(path), str(path)]
