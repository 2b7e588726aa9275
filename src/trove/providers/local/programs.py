"""The machine's own programs, and how they are run."""

from __future__ import annotations

import os
import shutil
import subprocess

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST = 120.0
"""Seconds."""


def find(name: str) -> str | None:
    """Where a program is; ordinary users have no sbin in their PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{PATH}")


def run(name: str, *args: str) -> str | None:
    """Run a program to its end: None if it went well, otherwise what it complained of."""
    program = find(name)
    if program is None:
        return f"{name} is not installed"
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
            [program, *args],
            stdin=subprocess.DEVNULL,  # or it could read, and type into, the service's terminal
            capture_output=True,
            text=True,
            timeout=LONGEST,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{name} did not end within {LONGEST:.0f} seconds"
    if done.returncode == 0:
        return None
    return (done.stderr or done.stdout).strip() or f"{name} ended with {done.returncode}"


def output_of(name: str, *args: str) -> str | None:
    """What a program prints; None if it is not installed, or fails."""
    program = find(name)
    if program is None:
        return None
    try:
        return subprocess.run(  # noqa: S603 - a fixed program, and no shell
            [program, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST,
            check=True,
        ).stdout
    except subprocess.SubprocessError:
        return None
