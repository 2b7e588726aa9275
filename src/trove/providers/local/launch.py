"""Starting a server's first process, detached from the calling process."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trove
from trove.entry_points import DATASTORES, sources
from trove.errors import Failed, Unavailable
from trove.files import private
from trove.providers.local import processes, programs, records, sandbox
from trove.providers.local.layout import ServerFiles
from trove.providers.local.machine import Machine
from trove.providers.local.records import Record
from trove.providers.local.sandbox import LAUNCH, SUPERVISE, Tenant

AgentCommand = Callable[[Path], Sequence[str]]
"""The agent's directory -> the command that runs it, again and again until it ends with 0."""


def agent_command(directory: Path) -> Sequence[str]:
    return (sys.executable, "-m", "trove.guestagent", "--directory", str(directory))


@dataclass(frozen=True)
class Launch:
    """One server that is about to start."""

    name: str
    files: ServerFiles
    record: Record
    machine: Machine
    agent: AgentCommand

    def run(self, groups: Sequence[Path], lock: int) -> None:
        """Start it in these control groups; it inherits the descriptor `lock`. Raises Failed."""
        _compile_package()
        setsid = programs.find("setsid")
        if setsid is None:
            raise Failed("setsid is not installed; it is part of util-linux.")
        records.empty_folder(self.files.run, self.record.owner)
        # --fork: we wait until the groups are joined, and no longer. In them from the start, no
        # process can fork its way out before it is limited.
        launch = ["/bin/sh", str(LAUNCH), *map(str, groups), "--", setsid, "--fork"]
        # A file: the server keeps its output open, and the end of a pipe would not come.
        with open(self.files.log, "wb", opener=private) as log:
            done = subprocess.run(  # noqa: S603 - fixed programs, their arguments are never read by a shell
                [*launch, *self._command()],
                # Standard input, for bubblewrap keeps no other outside of the sandbox.
                stdin=lock,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._environment(),
                start_new_session=True,  # so that no signal to our own group ever gets there
                check=False,
            )
        if done.returncode:
            said = self.files.log.read_text(errors="replace").strip()
            raise Unavailable(f"The server {self.name} cannot be started: {said}")

    def _command(self) -> list[str]:
        """Who, where, and the supervised agent."""
        logs = self.record.spec.logs / "agent.log"
        supervised = ["/bin/sh", str(SUPERVISE), str(logs), *self.agent(self.files.agent)]
        self._check_reach()
        return sandbox.shut_in(Tenant(self.files, self.record), self.machine, supervised)

    def _check_reach(self) -> None:
        """The server's own user must get at all that it needs; a sandbox shows it the files."""
        if self.record.owner is None:
            return
        code = [Path(trove.__file__).parent, *sources(DATASTORES, self.record.spec.manager)]
        modules = [path / "__init__.py" for path in code if path.is_dir()]
        needed = [Path(sys.executable).resolve(), *code, *filter(Path.exists, modules)]
        way = [p for path in (*needed, self.files.agent) for p in path.parents]
        shown = needed if self.machine.no_sandbox is None else [*needed, *way]
        # Only the bits for others count: the number is in no group and owns none of this.
        closed = [p for p in shown if not p.stat().st_mode & (0o001 if p.is_dir() else 0o004)]
        if closed:
            raise Failed(
                f"Instances run as users of their own, which cannot read {closed[0]}. Let others"
                " read it (chmod o+rX); without bubblewrap, every directory above it too."
            )

    def _environment(self) -> dict[str, str]:
        # Nothing of our own environment, in which settings with secrets may stand (TROVE_...).
        return {
            "PATH": programs.PATH,
            "HOME": str(self.files.agent),
            "USER": "trove",
            "LOGNAME": "trove",
            "LANG": "C.UTF-8",
            # Otherwise each of the agent's threads has a heap of its own, and large blocks are kept
            # that were needed once (mallopt(3)).
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": "65536",
            processes.MARK: self.name,
        }


@cache
def _compile_package() -> None:
    """Once for all agents, which cannot write beside the source."""
    package = Path(trove.__file__).parent
    if os.access(package, os.W_OK):
        compileall.compile_dir(package, quiet=2)
