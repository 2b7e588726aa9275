"""The same servers once more, made by a user who is not root."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from tests.support import slot
from tests.support.provider import IS_ROOT

ROOT = Path(__file__).parents[3]
HANG = 1500.0
"""Seconds after which the whole run is taken to hang."""
FILES = ("test_servers.py", "test_seeds.py")
AS_ROOT = (*FILES, "test_hostile_guest.py")


def python_for_all() -> str | None:
    """A Python of our version that any user may run."""
    own = Path(sys.executable).resolve()
    if all(p.stat().st_mode & 1 for p in own.parents):
        return sys.executable
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return next((str(p) for p in (Path("/usr/bin") / f"python{version}",) if p.exists()), None)


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user has just run them")
@pytest.mark.timeout(HANG + 60)
@pytest.mark.parametrize("account", ["ordinary", "root"])
def test_the_same_servers_for(account: str) -> None:
    """With a Python that every user may run, so that root's plain processes are among them."""
    user = 0 if account == "root" else slot.next_first_uid()
    python = python_for_all()
    if python is None:
        pytest.skip("no Python of this version can be run by all users")
    with tempfile.TemporaryDirectory(prefix="trove-test-") as directory:
        os.chown(directory, user, user)
        Path(directory).chmod(0o755)
        done = run_as(user, python, directory)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


def run_as(user: int, python: str, directory: str) -> subprocess.CompletedProcess[str]:
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", f"{directory}/t"]
    paths = [str(ROOT / "src"), str(ROOT), sysconfig.get_path("purelib")]
    files = FILES if user else AS_ROOT
    return subprocess.run(
        [*become, python, *tests, *(str(ROOT / "tests/e2e/local" / name) for name in files)],
        env={
            "PATH": "/usr/sbin:/usr/bin:/bin",
            "PYTHONPATH": ":".join(paths),
            "HOME": directory,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
