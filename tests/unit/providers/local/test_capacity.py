"""What one server gets of the machine's processes, whatever the others have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.provider import settings_in
from trove.errors import Failed
from trove.providers import local
from trove.providers.base import Flavor
from trove.providers.local import capacity
from trove.providers.local.catalog import FLAVORS, flavor_from
from trove.providers.local.cgroups import ControlGroups, Limits, Parent
from trove.providers.local.machine import Machine
from trove.providers.local.settings import LocalSettings

TINY = Flavor("t", "t", memory=256, vcpus=1)
HUGE = Flavor("h", "h", memory=16384, vcpus=8)


def proc(root: Path, memory: int = 4096, pid_max: int = 32768, threads_max: int = 10**6) -> Path:
    (root / "sys/kernel").mkdir(parents=True)
    (root / "meminfo").write_text(f"MemTotal:  {memory << 10} kB\nHugetlb:  0 kB\n")
    (root / "sys/kernel/pid_max").write_text(f"{pid_max}\n")
    (root / "sys/kernel/threads-max").write_text(f"{threads_max}\n")
    return root


def below(directory: Path, **files: int) -> ControlGroups:
    """Groups below one that has these limits."""
    directory.mkdir()
    for name, value in files.items():
        (directory / name.replace("_", ".", 1)).write_text(str(value))
    return ControlGroups(dict.fromkeys(("memory", "pids"), Parent(directory, 2)))


def test_the_machines_memory_and_a_containers(tmp_path: Path) -> None:
    machine = proc(tmp_path / "proc")
    assert capacity.memory_of(ControlGroups(), machine) == 4096
    assert capacity.memory_of(below(tmp_path / "a", memory_max=1 << 30), machine) == 1024
    assert capacity.memory_of(below(tmp_path / "b", memory_max=1 << 40), machine) == 4096


@pytest.mark.parametrize(
    ("kernel", "group", "expected"),
    [
        ({}, {}, 24576),
        ({"threads_max": 4000}, {}, 3000),
        ({"pid_max": 4194304}, {}, 750_000),
        ({}, {"pids_max": 1000}, 750),
    ],
)
def test_the_least_of_what_kernel_and_groups_allow(
    tmp_path: Path, kernel: dict[str, int], group: dict[str, int], expected: int
) -> None:
    found = capacity.processes_of(below(tmp_path / "g", **group), proc(tmp_path / "p", **kernel))
    assert found == expected


@pytest.mark.parametrize(
    ("flavor", "left", "processes"),
    [
        (TINY, 750_000, 768),
        (HUGE, 750_000, 11718),
        (HUGE, 4_000_000, 16896),
        (TINY, 24576, 384),
        (HUGE, 24576, 1128),
        (TINY, 160, 160),
    ],
)
def test_a_share(flavor: Flavor, left: int, processes: int) -> None:
    expected = Limits(flavor.memory, flavor.vcpus, processes)
    assert capacity.limits_of(flavor, left, refuse=True) == expected


def test_a_new_server_is_refused_with_numbers_and_an_old_one_runs() -> None:
    with pytest.raises(Failed, match="160 needed, 159 left"):
        capacity.limits_of(TINY, 159, refuse=True)
    with pytest.raises(Failed, match=" 0 left"):
        capacity.limits_of(TINY, -10, refuse=True)
    assert capacity.limits_of(TINY, -10, refuse=False).processes == 160


@given(
    total=st.integers(0, 200_000),
    memory=st.lists(st.integers(64, 262_144), max_size=200),
)
def test_what_is_given_stays_within_the_whole(total: int, memory: list[int]) -> None:
    left = total
    for each in memory:
        flavor = Flavor("f", "f", memory=each, vcpus=1)
        try:
            left -= capacity.limits_of(flavor, left, refuse=True).processes
        except Failed:
            assert left < 128 + min(1000, each // 8)
    assert left >= 0


def test_a_kernel_with_the_smallest_usual_limit_has_room_for_a_hundred() -> None:
    left = 24576
    for _ in range(100):
        left -= capacity.limits_of(TINY, left, refuse=True).processes
    assert left >= 0


def test_the_settings_factor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "memory", 4096)
    assert local.create_provider(settings_in(tmp_path)).memory_limit() == 8192
    low = settings_in(tmp_path, memory_overcommit=0.5)
    assert local.create_provider(low).memory_limit() == 2048


def test_by_default_a_laptop_has_room_and_a_machine_is_not_promised_thrice() -> None:
    sizes = {f.name: f.memory for f in map(flavor_from, FLAVORS)}
    factor = LocalSettings().memory_overcommit
    assert 16 * sizes["db.small"] <= 4096 * factor
    assert 50 * sizes["db.tiny"] <= 7168 * factor
    assert 3 * sizes["db.4xlarge"] > 24105 * factor
