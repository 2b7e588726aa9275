"""What a tenant who runs programs inside a server can do to hinder its end, or to harm others."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.provider import IS_ROOT, Traces, boot, remove
from tests.support.waiting import until
from trove.providers.base import Provider, ServerState, view_of

Make = Callable[..., Provider]

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root keeps tenants apart")

DEEP = """
import os, sys
os.chdir(sys.argv[1])
for _ in range(3000):
    os.mkdir('d')
    os.chdir('d')
"""

# The system calls are pidfd_open and pidfd_getfd, by which a process takes the descriptors of
# another one of the same user. In single quotes, for a shell has all of it in double ones.
THIEF = """
import contextlib, ctypes, glob, json, os, stat, sys
call = ctypes.CDLL(None).syscall
found = []
for path in glob.glob('/proc/[0-9]*/fd/*'):
    process, number = int(path.split('/')[2]), int(path.split('/')[4])
    with contextlib.suppress(OSError):
        status = os.stat(path)
        info = open('/proc/%d/fdinfo/%d' % (process, number)).read()
        flags = int(info.split('flags:')[1].split()[0], 8)
        writable = flags & os.O_ACCMODE != os.O_RDONLY
        taken = call(438, call(434, process, 0), number, 0)
        if taken >= 0 and writable and stat.S_ISREG(status.st_mode):
            os.write(taken, b'stolen ')
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
            writable = True
        found.append({
            'whose': 'parent' if process == os.getppid() else str(process),
            'file': os.readlink(path),
            'device': status.st_dev,
            'disk': stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode),
            'writable': writable,
        })
with open(sys.argv[1] + '/found.new', 'w') as file:
    json.dump(found, file)
os.rename(sys.argv[1] + '/found.new', sys.argv[1] + '/found')
import time; time.sleep(1000)
"""


def test_no_descriptor_of_another_process_leads_out(
    make: Make, name: str, tmp_path: Path, mode: dict[str, str]
) -> None:
    """What the server's own processes have open can all be taken by a tenant's code."""
    boot(make(f'exec /usr/bin/python3 -c "{THIEF}" "$1"', **mode), name)
    server, volume = tmp_path / "local/servers" / name, tmp_path / "local/volumes" / name
    report = server / "agent/found"
    until(report.exists)
    found = json.loads(report.read_text())
    limited = {(server / "agent").stat().st_dev, volume.stat().st_dev}
    out = [f for f in found if f["disk"] and f["device"] not in limited]
    assert not [f for f in out if f["writable"]]
    assert "stolen" not in (server / "launch.log").read_text()
    # Who had the lock could give it away, to a process of another server that outlives this one.
    assert mode or not [f for f in out if f["file"].startswith(str(server))]
    # The look was a real one: the supervisor's log could be taken.
    log = [f for f in found if f["file"].endswith("agent.log") and f["whose"] == "parent"]
    assert log
    assert all(f["writable"] for f in log)


@pytest.mark.parametrize("place", ["$1", "/run/trove"])
def test_directories_too_deep_for_a_path_are_removed(
    make: Make, name: str, tmp_path: Path, place: str
) -> None:
    provider = make(f'/usr/bin/python3 -c "{DEEP}" {place}; echo done; exec sleep 1000')
    boot(provider, name)
    log = tmp_path / "local/volumes" / name / "logs/agent.log"
    until(lambda: log.exists() and "done" in log.read_text())
    remove(provider, name)
    assert not Traces.of(name, tmp_path)


def test_a_file_system_with_errors_is_mounted_again(make: Make, name: str, tmp_path: Path) -> None:
    """XFS does so when the disk below a sparse image is full."""
    provider = make()
    spec = boot(provider, name)
    volume = tmp_path / "local/volumes" / name
    with (volume / "data").open("w") as file:
        file.write("kept")
        file.flush()
        os.fsync(file.fileno())
    give_up(volume)
    provider.compute.stop_server(name)
    provider.compute.start_server(spec)
    assert view_of(provider.compute, name).state is ServerState.UP
    assert (volume / "data").read_text() == "kept"


def test_a_file_system_that_has_given_up_is_removed(make: Make, name: str, tmp_path: Path) -> None:
    provider = make()
    boot(provider, name)
    give_up(tmp_path / "local/volumes" / name)
    remove(provider, name)
    until(lambda: not Traces.of(name, tmp_path))


def give_up(volume: Path) -> None:
    subprocess.run(["xfs_io", "-x", "-c", "shutdown -f", str(volume)], check=True)
    with pytest.raises(OSError, match="Input/output error"):
        volume.stat()
