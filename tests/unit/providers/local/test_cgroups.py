"""Version 2 on a tree of plain files, as many machines have it; version 1 in tests/e2e."""

from pathlib import Path

import pytest

from trove.errors import Unavailable
from trove.providers.local import cgroups
from trove.providers.local.cgroups import ControlGroups, Limits, Parent, find_control_groups

LIMITS = Limits(memory=128, vcpus=1, processes=640)


def machine(root: Path, kind: str, own: str, *controllers: str) -> Path:
    """/proc of a process in the group `own` of one hierarchy at root/tree."""
    proc, tree = root / "proc", root / "tree"
    (proc / "self").mkdir(parents=True)
    group = tree
    for part in ["", *own.strip("/").split("/")]:
        group = group / part
        group.mkdir(exist_ok=True)
        (group / "cgroup.controllers").write_text(" ".join(controllers))
        (group / "cgroup.subtree_control").write_text("memory pids")
    names = ",".join(controllers) if kind == "cgroup" else ""
    (proc / "self" / "cgroup").write_text(f"0:{names}:{own}\n")
    mount = f"30 23 0:26 / {tree} rw - {kind} none rw,{names}\n20 1 8:1 / / rw - ext4 /dev/a rw\n"
    (proc / "self" / "mountinfo").write_text(mount)
    return proc


def test_version_2_is_found_and_limits(tmp_path: Path) -> None:
    found = find_control_groups(machine(tmp_path, "cgroup2", "/user", "memory", "cpu", "pids"))
    tree = tmp_path / "tree"
    assert set(found.parents.values()) == {Parent(tree, 2)}
    assert (tree / "cgroup.subtree_control").read_text().startswith("+")
    [group] = found.ensure("trove-1", LIMITS)
    limits = {n: (group / n).read_text() for n in ("memory.max", "cpu.max", "pids.max")}
    assert limits == {"memory.max": str(128 << 20), "cpu.max": "100000 100000", "pids.max": "640"}
    (group / "cgroup.procs").write_text("12\n34\n")
    assert found.members("trove-1") == {12, 34}
    assert found.missing == ()


def test_a_missing_controller_is_reported(tmp_path: Path) -> None:
    found = find_control_groups(machine(tmp_path, "cgroup2", "/", "memory"))
    assert found.missing == (
        "processors: no control group for it can be written",
        "number of processes: no control group for it can be written",
    )


def test_version_1_has_a_hierarchy_for_each(tmp_path: Path) -> None:
    found = find_control_groups(machine(tmp_path, "cgroup", "/a/b", "memory"))
    assert found.parents == {"memory": Parent(tmp_path / "tree", 1)}


def test_a_group_that_may_not_be_written_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = machine(tmp_path, "cgroup", "/a/b", "memory")
    own = tmp_path / "tree/a"
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).is_relative_to(own))
    assert find_control_groups(proc).parents == {"memory": Parent(own, 1)}
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert find_control_groups(proc).parents == {}


def test_a_container_that_sees_only_its_own_part(tmp_path: Path) -> None:
    assert cgroups._inside(tmp_path, "/docker/1", "/docker/1") == tmp_path
    assert cgroups._inside(tmp_path, "/", "/gone") == tmp_path


def test_a_controller_that_cannot_be_delegated_is_missing(tmp_path: Path) -> None:
    proc = machine(tmp_path, "cgroup2", "/", "cpu")
    control = tmp_path / "tree/cgroup.subtree_control"
    control.unlink()
    control.symlink_to("/proc/version")
    assert find_control_groups(proc).parents == {}


def test_a_limit_that_is_refused_is_reported(tmp_path: Path) -> None:
    (tmp_path / "trove-1/pids.max").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"The limit pids.max of trove-1 cannot be set to 640"):
        ControlGroups({"pids": Parent(tmp_path, 1)}).ensure("trove-1", LIMITS)


def test_a_group_in_use_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "trove-1").mkdir()
    (tmp_path / "trove-1/busy").touch()
    groups = ControlGroups({"pids": Parent(tmp_path, 1)})
    with pytest.raises(Unavailable, match="still in use"):
        groups.remove("trove-1", patience=0.02)


@pytest.mark.parametrize(
    ("kind", "name"), [("cgroup2", "memory.max"), ("cgroup", "memory.limit_in_bytes")]
)
def test_the_lowest_limit_above_the_groups_of_instances_counts(
    tmp_path: Path, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc, tree = machine(tmp_path, kind, "/a/b", "memory"), tmp_path / "tree"
    (tree / name).write_text("max\n")
    assert find_control_groups(proc).ceiling("memory") is None
    (tree / name).write_text(f"{5 << 30}\n")
    # Instances are not below these.
    (tree / "a" / name).write_text("100")
    assert find_control_groups(proc).ceiling("memory") == 5 << 30
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert find_control_groups(proc).ceiling("memory") == 100
    assert find_control_groups(proc).ceiling("pids") is None


def test_what_servers_have_been_given(tmp_path: Path) -> None:
    groups = ControlGroups({"pids": Parent(tmp_path, 1)})
    groups.ensure("trove-1", LIMITS)
    groups.ensure("trove-2", LIMITS._replace(processes=3))
    (tmp_path / "trove-2b").mkdir()
    (tmp_path / "trove-2b/pids.max").write_text("max")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pids.max").write_text("9000")
    assert groups.processes_given(["trove-1", "trove-2", "trove-2b", "trove-3"]) == 643
    assert ControlGroups().processes_given(["trove-1"]) == 0
