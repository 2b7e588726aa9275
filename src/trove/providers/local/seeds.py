"""Seeds: for each version of an engine a data directory that new instances begin with a copy of.

A seed holds no secret. It is made by a user of its own who has nothing else, and then belongs to
the user who runs the provider, so that no instance can change it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import trove
from trove.errors import Failed, Unavailable
from trove.providers.base import Flavor, ServerSpec
from trove.providers.local import processes, programs
from trove.providers.local.identities import Identities
from trove.providers.local.layout import (
    Layout,
    ServerFiles,
    checked,
    make_folder,
    named_lock,
    remove_tree,
)
from trove.providers.local.machine import Machine
from trove.providers.local.records import Owner, Record, engine_spec_of, own_folder
from trove.providers.local.sandbox import Tenant, shut_in

log = logging.getLogger(__name__)

MAKER = "seed"
"""Whom the user belongs to while a seed is made."""
SIZE = Flavor("", "", memory=256, vcpus=1)
# -i: the service's environment may hold settings with secrets, and the maker is another user.
CLEAN = ("-i", f"PATH={programs.PATH}", "LANG=C.UTF-8", "TZ=UTC")
"""The environment; without a time zone, initdb searches for one."""

SeedCommand = Callable[[str, Path, Path], Sequence[str]]
"""(manager, directory of its programs, seed) -> what makes it; nothing where there is none."""


def seed_command(manager: str, binaries: Path, directory: Path) -> Sequence[str]:
    program = (sys.executable, "-m", "trove.guestagent.seed")
    return (*program, manager, str(binaries), str(directory))


class Seeds:
    """The seeds of this machine; one is made when it is first needed."""

    def __init__(
        self,
        layout: Layout,
        machine: Machine,
        identities: Identities,
        command: SeedCommand = seed_command,
    ) -> None:
        self._layout = layout
        self._machine = machine
        self.identities = identities
        self._command = command
        self._hopeless: set[str] = set()

    def ensure(self, spec: ServerSpec) -> Path | None:
        """The seed for such a server; None where there is none, and its engine begins afresh."""
        if not spec.image or not Path(spec.image).is_dir():
            return None
        kind, edition = _names(spec, Path(spec.image))
        seed = self._layout.seeds / f"{kind}-{edition}"
        if not seed.exists():
            with named_lock(self._layout.locks, MAKER):
                # Checked again: the previous holder of the lock may have made it.
                if not seed.exists() and seed.name not in self._hopeless:
                    self._make(seed, spec)
                    self._remove_older(kind, seed)
        # A file stands for an engine that has none.
        return seed if seed.is_dir() else None

    def _make(self, seed: Path, spec: ServerSpec) -> None:
        """A failure is no instance's misfortune: it is logged, and not tried again for now."""
        make_folder(seed.parent)
        files = ServerFiles(seed.with_name(f"{seed.name}.new"))
        ready = seed.with_name(f"{seed.name}.ready")
        try:
            with self._cleared(files, ready):
                made = self._run(files, spec)
                self._end(files)
                if made.is_dir():
                    _hand_over(made)
                    # Out of the maker's directory, which goes before anybody sees the seed.
                    made.rename(ready)
                else:
                    ready.touch()
            # In one step, so that a seed which bears its name is whole.
            ready.rename(seed)
        except (Failed, Unavailable, OSError) as error:
            log.warning("no seed for %s %s: %s", spec.manager, spec.version, error)
            self._hopeless.add(seed.name)

    @contextmanager
    def _cleared(self, files: ServerFiles, ready: Path) -> Iterator[None]:
        """Nothing of an earlier try, and afterwards nothing but what is ready."""
        self._end(files)
        remove_tree(ready)
        remove_tree(files.directory)
        try:
            yield
        finally:
            self._end(files)
            remove_tree(files.run)
            remove_tree(files.directory)
            self.identities.release(MAKER)

    def _end(self, files: ServerFiles) -> None:
        """Every process of the maker's: who hung, or whose service was killed, may write still."""
        folders, uid = (files.directory, files.run), self.identities.of(MAKER)
        processes.end(lambda: processes.marked(str(files.directory), folders, uid), 0)

    def _run(self, files: ServerFiles, spec: ServerSpec) -> Path:
        """Where the engine's program has made it; raises Failed."""
        owner, volume = self._owner(), files.directory / "volume"
        make_folder(files.directory)
        for folder in (files.agent, files.run, volume):
            own_folder(folder, owner)
        engine = engine_spec_of(replace(spec, flavor=SIZE), files, volume, files.run)
        command = self._command(spec.manager, Path(spec.image or ""), volume / "seed")
        tenant = Tenant(files, Record(owner, engine, ()))
        clean = (*CLEAN, f"{processes.MARK}={files.directory}")
        complaint = programs.run("env", *clean, *shut_in(tenant, self._machine, command))
        if complaint:
            raise Failed(complaint)
        return volume / "seed"

    def _owner(self) -> Owner | None:
        if not self._machine.is_root:
            return None
        number = self.identities.ensure(MAKER)
        return Owner(number, number)

    def _remove_older(self, kind: str, seed: Path) -> None:
        """Of programs that have been replaced; who is just copying one does without."""
        for other in self._layout.seeds.glob(f"{kind}-*"):
            if other != seed:
                remove_tree(other)


def _hand_over(directory: Path) -> None:
    """To the user who runs the provider, readable by all; raises Failed for a link."""
    for folder, folders, files in os.walk(directory):
        # The directory first: once it is ours, no one else exchanges what is in it.
        for path in (Path(folder), *(Path(folder) / name for name in (*files, *folders))):
            if path.is_symlink():
                raise Failed(f"{path} is a link")
            os.chown(path, os.getuid(), os.getgid(), follow_symlinks=False)
            path.chmod(0o755 if path.is_dir() else 0o644)


def _names(spec: ServerSpec, image: Path) -> tuple[str, str]:
    """What stays when programs are upgraded in their place, and what does not."""
    where = hashlib.sha256(str(image).encode()).hexdigest()[:12]
    # The directory's time: packages are upgraded by renaming new programs into it.
    edition = f"{spec.version} {image.stat().st_mtime_ns} {version(trove.__name__)}"
    return f"{checked(spec.manager)}-{where}", hashlib.sha256(edition.encode()).hexdigest()[:12]
