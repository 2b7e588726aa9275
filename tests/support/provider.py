"""Servers for the tests of providers: a small program in place of the agent, and what it leaves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import slot
from trove.providers import local
from trove.providers.base import Flavor, Provider, ServerSpec
from trove.providers.local.seeds import SeedCommand, seed_command
from trove.providers.local.settings import LocalSettings
from trove.settings import Settings

POOL = slot.next_pool()
FIRST_UID = slot.next_first_uid(200)
SMALL = Flavor("t", "test", memory=128, vcpus=1)
IS_ROOT = os.geteuid() == 0


def settings_in(directory: Path, **changes: object) -> Settings:
    known = {"directory": directory / "local", "address_pool": POOL, "first_uid": FIRST_UID}
    group = LocalSettings(**(known | changes))  # type: ignore[arg-type]
    return Settings(state_directory=directory, providers={"local": group})


def sh(script: str) -> Callable[[Path], Sequence[str]]:
    """A shell script in place of the agent; $1 is its directory."""
    return lambda directory: ("/bin/sh", "-c", script, "agent", str(directory))


def local_provider(
    directory: Path,
    script: str = "exec sleep 1000",
    seed: SeedCommand = seed_command,
    **changes: object,
) -> Provider:
    return local.create_provider(settings_in(directory, **changes), agent=sh(script), seed=seed)


def spec_of(name: str, flavor: Flavor = SMALL, address: str = "127.70.0.1") -> ServerSpec:
    return ServerSpec(
        name=name,
        instance_id=name.removeprefix("trove-"),
        flavor=flavor,
        manager="postgresql",
        version="15",
        image=None,
        volume=name,
        address=address,
        port=5432,
        agent_files={"agent.json": '{"conductor_url": "http://127.70.0.1:1", "token": "secret"}'},
    )


def boot(provider: Provider, name: str, flavor: Flavor = SMALL) -> ServerSpec:
    """A server with its volume, running."""
    provider.volumes.ensure_volume(name, 1)
    spec = spec_of(name, flavor)
    provider.compute.ensure_server(spec)
    return spec


def remove(provider: Provider, name: str) -> None:
    provider.compute.delete_server(name)
    provider.volumes.delete_volume(name)
    provider.network.delete_address(name)


def open_to_others(directory: Path) -> None:
    """Let the users that instances run as reach it, through every directory above it."""
    for folder in [directory, *directory.parents]:
        if not folder.stat().st_mode & 1:
            folder.chmod(0o755)


@dataclass(frozen=True)
class Traces:
    """What there is on this machine of the servers whose name contains a word."""

    processes: frozenset[int]
    mounts: frozenset[str]
    loops: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]

    @classmethod
    def of(cls, word: str, directory: Path) -> Traces:
        groups = Path("/sys/fs/cgroup").glob(f"*/*{word}*")
        loops = subprocess.run(["/sbin/losetup", "-a"], capture_output=True, text=True, check=False)
        return cls(
            processes=frozenset(_processes(word)),
            mounts=frozenset(_lines(Path("/proc/mounts").read_text(), word)),
            loops=frozenset(_lines(loops.stdout, word)),
            groups=frozenset(map(str, groups)),
            files=frozenset(str(p) for p in directory.glob("local/*/*")),
        )

    def __bool__(self) -> bool:
        return any((self.processes, self.mounts, self.loops, self.groups, self.files))


def _lines(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


def _processes(word: str) -> list[int]:
    """By their command, environment, or one of the numbers of the tests."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            continue
        if alive and word.encode() in text and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
