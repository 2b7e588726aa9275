"""Data directories that are prepared once for many servers; as root and as an ordinary user."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.provider import IS_ROOT, Traces, open_to_others, spec_of
from tests.support.waiting import until
from trove.errors import Failed
from trove.providers.base import Provider, ServerSpec
from trove.providers.local import programs

Make = Callable[..., Provider]
FILL = 'mkdir "$2" "$2/base"; echo "$1" >"$2/base/content"; id -un >>/dev/null'
FAILURES = {
    "broken": FILL + "; echo broken >&2; exit 1",
    "base/link is a link": FILL + '; ln -s /etc/passwd "$2/base/link"',
    "base/folder is a link": FILL + '; ln -s /etc "$2/base/folder"',
}
LOOK = (
    "import pathlib, sys\n"
    "home = pathlib.Path(sys.argv[1])\n"
    "seed = pathlib.Path((home / 'config' / 'seed').read_text())\n"
    "try:\n"
    "    (seed / 'own').write_text('')\n"
    "    found = 'may write'\n"
    "except OSError:\n"
    "    path = seed / 'base' / 'content'\n"
    "    found = path.read_text() if path.exists() else 'nothing'\n"
    "(home / 'config' / 'found').write_text(found)\n"
    "import time; time.sleep(1000)\n"
)


@pytest.fixture
def seeds(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "local" / "seeds"
    shutil.rmtree(tmp_path / "local" / "seeds", ignore_errors=True)


@pytest.fixture
def spec(tmp_path: Path, name: str) -> ServerSpec:
    return replace(spec_of(name), image=str(tmp_path / "programs"))


def command(manager: str, binaries: Path, directory: Path) -> list[str]:
    """In place of the agent's program, which runs the engine's."""
    return [str(binaries / "make-seed"), "good", str(directory)]


@pytest.fixture
def make(make: Make) -> Make:
    return partial(make, seed=command)


def program(spec: ServerSpec, script: str = FILL) -> None:
    """What makes a seed: called with the word of the spec, and a directory."""
    path = Path(spec.image or "") / "make-seed"
    path.parent.mkdir(exist_ok=True)
    open_to_others(path.parent)
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\nset -e\n{script}\n")
    path.chmod(0o755)


def seed_of(tmp_path: Path, spec: ServerSpec) -> str | None:
    """What its engine would begin with a copy of."""
    file = tmp_path / "local/servers" / spec.name / "agent/config/seed"
    return file.read_text() if file.exists() else None


def boot(provider: Provider, spec: ServerSpec) -> None:
    provider.volumes.ensure_volume(spec.name, 1)
    provider.compute.ensure_server(spec)


def test_servers_read_what_was_made_once(
    make: Make, spec: ServerSpec, tmp_path: Path, seeds: Path
) -> None:
    program(spec)
    provider = make(f'exec /usr/bin/python3 -c "{LOOK}" "$1"')
    boot(provider, spec)
    found = tmp_path / "local/servers" / spec.name / "agent/config/found"
    until(lambda: found.exists() and found.read_text())
    allowed = {"good\n"} if IS_ROOT else {"good\n", "may write"}  # where nothing shuts it in
    assert found.read_text() in allowed
    [seed] = seeds.iterdir()
    assert seed_of(tmp_path, spec) == str(seed)
    content = seed / "base" / "content"
    assert (content.stat().st_uid, content.stat().st_mode & 0o777) == (os.getuid(), 0o644)
    made = content.stat().st_mtime_ns
    provider.compute.delete_server(spec.name)
    provider.compute.ensure_server(spec)
    assert content.stat().st_mtime_ns == made
    taken = [str(p.readlink()) for p in tmp_path.glob("local/uids/*")]
    assert taken == ([spec.name] if IS_ROOT else [])


def test_upgraded_programs_make_another(
    make: Make, spec: ServerSpec, tmp_path: Path, seeds: Path
) -> None:
    program(spec)
    boot(make(), spec)
    before = seed_of(tmp_path, spec)
    program(spec, FILL.replace("$1", "better $1"))
    provider = make()
    provider.compute.delete_server(spec.name)
    provider.compute.ensure_server(spec)
    [seed] = seeds.iterdir()
    assert str(seed) == seed_of(tmp_path, spec) != before
    assert (seed / "base/content").read_text() == "better good\n"


@pytest.mark.parametrize("why", FAILURES)
def test_without_one_a_server_starts_all_the_same(
    make: Make, spec: ServerSpec, seeds: Path, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    program(spec, FAILURES[why])
    provider = make()
    with caplog.at_level(logging.WARNING):
        boot(provider, spec)
        provider.compute.delete_server(spec.name)
        provider.compute.ensure_server(spec)
    assert seed_of(seeds.parents[1], spec) is None
    assert [why in message for message in caplog.messages] == [True]
    assert not list(seeds.iterdir())


def test_no_process_of_a_seed_maker_survives(
    make: Make,
    spec: ServerSpec,
    tmp_path: Path,
    seeds: Path,
    mode: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither when it hangs, nor when it has left a daemon behind."""
    monkeypatch.setattr(programs, "LONGEST", 5.0)
    daemon = "setsid sh -c 'sleep 1000; : daemon' daemon \"$2\" >/dev/null 2>&1 </dev/null &"
    program(spec, f"{FILL}; {daemon} sleep 1000")
    boot(make(**mode), spec)
    assert seed_of(tmp_path, spec) is None
    assert not [p for p in Traces.of(str(seeds), tmp_path).processes if "sleep" in command_of(p)]
    assert not list(seeds.iterdir())


def command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def test_what_a_killed_maker_left_is_no_seed(
    make: Make, spec: ServerSpec, tmp_path: Path, seeds: Path
) -> None:
    program(spec)
    boot(make(), spec)
    seed = Path(seed_of(tmp_path, spec) or "")
    for state in ("new", "ready"):
        seed.rename(seed.with_name(f"{seed.name}.{state}"))
        (seed.with_name(f"{seed.name}.{state}") / "half").write_text("")
        provider = make()
        provider.compute.delete_server(spec.name)
        provider.compute.ensure_server(spec)
        assert [p.name for p in seeds.iterdir()] == [seed.name]
        assert not (seed / "half").exists()


def test_where_nothing_is_to_be_prepared_nothing_is(
    make: Make, spec: ServerSpec, tmp_path: Path, seeds: Path
) -> None:
    program(spec)
    provider = make()
    boot(provider, replace(spec, image=None))
    assert seed_of(tmp_path, spec) is None
    assert not seeds.exists()


def test_an_engine_without_seeds_is_queried_once(
    make: Make, spec: ServerSpec, tmp_path: Path, seeds: Path
) -> None:
    queries = tmp_path / "queries"
    queries.touch()

    def nothing(manager: str, binaries: Path, directory: Path) -> list[str]:
        queries.write_text(queries.read_text() + ".")
        return ["true"]

    program(spec)
    for _ in range(2):
        provider = make(seed=nothing)
        boot(provider, spec)
        assert seed_of(tmp_path, spec) is None
        provider.compute.delete_server(spec.name)
    assert queries.read_text() == "."
    [marker] = seeds.iterdir()
    assert marker.is_file()


def test_programs_that_are_not_there_are_named(make: Make, spec: ServerSpec) -> None:
    with pytest.raises(Failed, match="postgresql 15 are not in /nowhere"):
        boot(make(), replace(spec, image="/nowhere"))
