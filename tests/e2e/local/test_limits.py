"""What root's servers are held to, and kept from."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.provider import FIRST_UID, IS_ROOT, SMALL, Traces, boot, remove, spec_of
from tests.support.waiting import until
from trove.errors import Failed, Invalid, Unavailable
from trove.providers.base import Provider, ServerState, view_of
from trove.providers.local import volumes
from trove.providers.local.machine import Machine

Make = Callable[..., Provider]

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can limit")

EAT = "import time; b = bytearray(300 << 20); print(len(b), flush=True); time.sleep(1000)"


def log(directory: Path, name: str) -> str:
    path = directory / "local/volumes" / name / "logs/agent.log"
    return path.read_text() if path.exists() else ""


def logged(directory: Path, name: str, word: str) -> Callable[[], bool]:
    return lambda: word in log(directory, name)


def test_a_process_beyond_the_memory_of_the_flavor_is_killed(
    make: Make, name: str, tmp_path: Path
) -> None:
    provider = make(f'/usr/bin/python3 -c "{EAT}"; echo "ended with $?"; sleep 1000')
    boot(provider, name, SMALL)
    until(logged(tmp_path, name, "ended with 137"))
    assert str(300 << 20) not in log(tmp_path, name)


def test_servers_together_are_given_fewer_processes_than_the_machine_has(
    make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there already is started and resized; nothing is left of what is refused."""
    monkeypatch.setattr(Machine, "processes", 300)
    provider = make()
    spec = boot(provider, name, SMALL)
    assert processes_of(name) == 144
    boot(provider, f"{name}-2", SMALL)
    provider.volumes.ensure_volume(f"{name}-3", 1)
    with pytest.raises(Failed, match="144 needed, 12 left"):
        provider.compute.ensure_server(spec_of(f"{name}-3"))
    remove(provider, f"{name}-3")
    assert not Traces.of(f"{name}-3", tmp_path / "none")
    provider.compute.stop_server(name)
    provider.compute.start_server(spec)
    provider.compute.begin_resize(name, replace(SMALL, memory=512))
    assert processes_of(name) == 192
    remove(provider, f"{name}-2")
    assert processes_of(f"{name}-2") == 0


def processes_of(name: str) -> int:
    return Machine().control_groups.processes_given([name])


def test_a_larger_flavor_gives_more_memory_while_it_runs(
    make: Make, name: str, tmp_path: Path
) -> None:
    eat = f'/usr/bin/python3 -c "{EAT}"; echo "ended with $?"'
    provider = make(f'{eat}; until [ -e "$1/go" ]; do sleep 0.1; done; {eat}; sleep 1000')
    boot(provider, name, SMALL)
    until(logged(tmp_path, name, "ended with 137"))
    provider.compute.begin_resize(name, replace(SMALL, memory=512))
    (tmp_path / "local/servers" / name / "agent/go").touch()
    until(logged(tmp_path, name, str(300 << 20)))


def test_a_flavor_that_is_too_small_for_what_runs_is_refused(
    make: Make, name: str, tmp_path: Path
) -> None:
    provider = make(f'exec /usr/bin/python3 -c "{EAT}"')
    boot(provider, name, replace(SMALL, memory=512))
    until(logged(tmp_path, name, str(300 << 20)))
    with pytest.raises(Unavailable, match="memory"):
        provider.compute.confirm_resize(name, SMALL)
    assert view_of(provider.compute, name).state is ServerState.UP


def test_a_full_volume_is_full_at_its_size_and_usable_when_it_has_grown(
    make: Make, name: str, tmp_path: Path
) -> None:
    provider = make()
    boot(provider, name)
    volume = tmp_path / "local/volumes" / name
    written = fill(volume / "data")
    assert 0.8 * 2**30 < written < 2**30
    provider.volumes.grow_volume(name, 2)
    provider.volumes.grow_volume(name, 2)
    assert 0.9 * 2**30 < shutil.disk_usage(volume).free <= 2**30
    (volume / "data2").write_bytes(bytes(1 << 20))


def fill(path: Path) -> int:
    """Reserve blocks until there are none, then down to the last; bytes had."""
    size = 0
    with path.open("wb") as file:
        for step in (64 << 20, 1 << 20, 64 << 10, 4 << 10):
            while True:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    break
                size += step
    return size


def test_the_agents_own_directory_is_limited_too(make: Make, name: str, tmp_path: Path) -> None:
    """Code in a sandbox cannot fill the disk of the machine through it."""
    provider = make()
    boot(provider, name)
    agent = tmp_path / "local/servers" / name / "agent"
    assert agent.stat().st_dev != agent.parent.stat().st_dev
    assert 32 << 20 < fill(agent / "data") < 64 << 20
    (agent / "data").unlink()
    provider.compute.delete_server(name)
    assert not agent.parent.exists()


def test_unlimited_files_of_the_agent_are_shown_as_unenforced(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once the machine could: what is there stays as it is."""
    monkeypatch.setattr(Machine, "no_small_volumes", "mkfs.ext4 is not installed")
    provider = make()
    spec = boot(provider, name)
    [unenforced] = view_of(provider.compute, name).unenforced
    assert unenforced == "size of the agent's files: mkfs.ext4 is not installed"
    provider.compute.stop_server(name)
    monkeypatch.undo()
    provider = make()
    provider.compute.start_server(spec)
    [unenforced] = view_of(provider.compute, name).unenforced
    assert unenforced == "size of the agent's files: it was made when the machine could not"


def test_a_volume_larger_than_the_disk_is_refused(make: Make, name: str) -> None:
    provider = make()
    with pytest.raises(Failed, match=r"disk space for 900000\.0 GiB more"):
        provider.volumes.ensure_volume(name, 900_000)
    provider.volumes.ensure_volume(name, 1)
    with pytest.raises(Failed, match="disk space for"):
        provider.volumes.grow_volume(name, 900_000)


def test_a_disk_that_is_full_after_all_leaves_nothing(
    make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the space between our check and mkfs."""
    disk = tmp_path / "local"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", str(disk)], check=True)
    try:
        monkeypatch.setattr(volumes.LocalVolumes, "_refuse_beyond", lambda self, size: None)
        with pytest.raises(Failed, match="No file system could be made"):
            make().volumes.ensure_volume(name, 1)
        assert not list(disk.glob("volumes/*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_a_killed_try_has_left_takes_no_space(make: Make, name: str, tmp_path: Path) -> None:
    """On a disk that has room for one such volume, and not for two."""
    disk = tmp_path / "local"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500m", "t", str(disk)], check=True)
    try:
        (disk / "volumes").mkdir(mode=0o711)
        left = disk / "volumes" / f"{name}.img.new"
        left.touch()
        os.truncate(left, 1 << 30)
        provider = make()
        provider.volumes.ensure_volume(name, 1)
        assert not left.exists()
        with pytest.raises(Failed, match="disk space for"):
            provider.volumes.ensure_volume(f"{name}-2", 1)
        provider.volumes.delete_volume(name)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_volume_type_that_is_not_there_is_refused(make: Make, name: str) -> None:
    with pytest.raises(Invalid, match="volume_type"):
        make().volumes.ensure_volume(name, 1, "no such type")


def test_an_instance_sees_no_other_and_is_not_root(make: Make, name: str, tmp_path: Path) -> None:
    other = f"{name}-2"
    first = make()
    boot(first, other)
    script = f'ls -R {tmp_path} /proc/[0-9]*/exe /root /home 2>&1; id -u; ls -la /sys; echo "done"'
    provider = make(f"{script}; sleep 1000")
    boot(provider, name)
    until(logged(tmp_path, name, "done"))
    seen = log(tmp_path, name)
    assert name in seen
    assert other not in seen
    assert "\n0\n" not in seen
    own = (tmp_path / "local/servers" / name / "agent").stat().st_uid
    assert own >= FIRST_UID
    assert f"\n{own}\n" in seen
    remove(provider, other)


@pytest.mark.parametrize("where", ["/usr/x", "/etc/x", "/x", "/proc/sys/kernel/hostname"])
def test_the_machine_cannot_be_written(make: Make, name: str, tmp_path: Path, where: str) -> None:
    boot(make(f"echo x >{where} || echo refused; sleep 1000"), name)
    until(logged(tmp_path, name, "refused"))


def test_after_a_reboot_everything_comes_back(make: Make, name: str, tmp_path: Path) -> None:
    provider = make('echo "run" >>"$1/../other" || true; echo run >>"$1/config/l"; sleep 1000')
    spec = boot(provider, name)
    volume = tmp_path / "local/volumes" / name
    (volume / "data").write_text("kept")
    runs = tmp_path / "local/servers" / name / "agent/config/l"
    until(runs.exists)
    switch_off(name, volume)
    assert view_of(provider.compute, name).state is ServerState.DOWN
    assert not (volume / "data").exists()
    provider.compute.start_server(spec)
    assert view_of(provider.compute, name).state is ServerState.UP
    until(lambda: runs.read_text().count("run") == 2)
    assert (volume / "data").read_text() == "kept"
    assert f"{name}" in "".join(Traces.of(name, tmp_path).groups)


def switch_off(name: str, volume: Path) -> None:
    """What a power cut leaves: no processes, no mounts, no control groups."""
    for process in Traces.of(name, volume).processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    until(lambda: not Traces.of(name, volume).processes)
    subprocess.run(["umount", str(volume)], check=True)
    for group in Traces.of(name, volume).groups:
        Path(group).rmdir()


def test_delete_removes_a_volume_that_is_in_use(make: Make, name: str, tmp_path: Path) -> None:
    provider = make()
    provider.volumes.ensure_volume(name, 1)
    with (tmp_path / "local/volumes" / name / "open").open("w") as file:
        file.write("x")
        provider.volumes.delete_volume(name)
        assert not Traces.of(name, tmp_path).mounts
    until(lambda: not Traces.of(name, tmp_path).loops)


def test_many_at_once_are_each_made_once_and_all_go(make: Make, name: str, tmp_path: Path) -> None:
    """Four threads make the same five servers, as several task managers might."""
    provider = make()
    names = [f"{name}-{i}" for i in range(5)] * 4
    before = Traces.of(name, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: boot(provider, n), names))
        addresses = list(pool.map(lambda n: provider.network.ensure_address(n, 45432), names))
    assert len(set(addresses)) == 5
    assert all(view_of(provider.compute, n).state is ServerState.UP for n in names)
    there = Traces.of(name, tmp_path)
    supervisors = [p for p in there.processes if is_first(p)]
    assert len(supervisors) == 5
    assert len(there.mounts) == len(there.loops) == 10  # a volume and the agent's own each
    assert len({(tmp_path / f"local/servers/{n}/agent").stat().st_uid for n in names}) == 5
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: remove(provider, n), names))
    assert Traces.of(name, tmp_path) == before


def is_first(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    return "NSpid" in status and status.split("NSpid:")[1].splitlines()[0].split()[-1] == "1"


@pytest.mark.parametrize("call", range(6))
def test_a_control_plane_killed_between_any_two_calls_leaves_nothing_for_good(
    make: Make, name: str, tmp_path: Path, call: int
) -> None:
    """SIGKILL at the nth program that it runs; then another process deletes, or makes it whole."""
    script = (
        "import sys,os,signal,subprocess; from pathlib import Path;"
        "from tests.support.provider import *; real=subprocess.run; n=[0]\n"
        "def run(*a, **k):\n"
        "    if n[0] == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    n[0] += 1\n"
        "    return real(*a, **k)\n"
        "subprocess.run = run\n"
        "boot(local_provider(Path(sys.argv[1])), sys.argv[2])"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path, name, str(call)], check=False)
    assert done.returncode in {-signal.SIGKILL, 0}
    provider = make()
    if call % 2:
        remove(provider, name)
        assert not Traces.of(name, tmp_path)
    provider.volumes.ensure_volume(name, 1)
    provider.compute.start_server(spec_of(name))
    assert view_of(provider.compute, name).state is ServerState.UP
