"""Real servers on this machine; every test passes as root and as an ordinary user.

`test_ordinary_user.py` runs this file once more as another user.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.packages import install
from tests.support.provider import (
    FIRST_UID,
    IS_ROOT,
    SMALL,
    Traces,
    boot,
    open_to_others,
    remove,
    spec_of,
)
from tests.support.waiting import HANG, until
from trove.entry_points import DATASTORES
from trove.errors import Failed, NotFound
from trove.providers.base import Provider, ResizeState, ServerState, view_of
from trove.providers.local import sandbox

Make = Callable[..., Provider]
SIGN = "$1/config/sign"


def sign(directory: Path, name: str, file: str = "sign") -> Path:
    return directory / "local/servers" / name / "agent/config" / file


def up(provider: Provider, name: str) -> bool:
    return view_of(provider.compute, name).state is ServerState.UP


def test_the_agent_runs_as_another_user_with_its_files(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    who = f"id -u >{SIGN}.new; id -un >>{SIGN}.new"
    script = f'{who}; cat "$1/agent.json" >>{SIGN}.new; mv {SIGN}.new {SIGN}; sleep 1000'
    boot(make(script, **mode), name)
    until(sign(tmp_path, name).exists)
    number, user, content = sign(tmp_path, name).read_text().split("\n", 2)
    assert user == "trove" or (mode and not IS_ROOT)
    folder = tmp_path / "local/servers" / name / "agent"
    assert int(number) == folder.stat().st_uid
    assert (int(number) >= FIRST_UID) if IS_ROOT else (int(number) == os.getuid())
    assert json.loads(content)["token"] == "secret"
    assert all((folder / n).stat().st_mode & 0o777 == 0o600 for n in ("agent.json", "place.json"))


def test_the_place_names_directories_that_the_agent_can_use(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    reader = (
        "import json,sys,pathlib; p=json.load(open(sys.argv[1]+'/place.json'));"
        "[pathlib.Path(p[n],'try').write_text('') for n in ('data','run','config','logs')];"
        "import tempfile; tempfile.TemporaryFile();"
        "pathlib.Path(p['config'],'sign').write_text(p['run'])"
    )
    boot(make(f'{python()} -c "{reader}" "$1"; sleep 1000', **mode), name)
    until(sign(tmp_path, name).exists)
    until(lambda: sign(tmp_path, name).read_text())
    assert len(sign(tmp_path, name).read_text()) <= 80


def python() -> str:
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def test_an_agent_that_ends_is_started_again(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    provider = make(f"echo x >>{SIGN}; exit 1", **mode)
    boot(provider, name)
    until(lambda: sign(tmp_path, name).exists() and sign(tmp_path, name).read_text().count("x") > 1)
    assert up(provider, name)


def test_an_agent_that_ends_for_good_leaves_the_server_down(
    make: Make, mode: dict[str, str], name: str
) -> None:
    provider = make("exit 0", **mode)
    boot(provider, name)
    until(lambda: view_of(provider.compute, name).state is ServerState.DOWN)


def test_a_server_outlives_the_process_that_made_it(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    maker = (
        "import sys,os,signal; from pathlib import Path; from tests.support.provider import *;"
        f"boot(local_provider(Path(sys.argv[1]), **{mode!r}), sys.argv[2]);"
        "os.killpg(0, signal.SIGKILL)"
    )
    command = [sys.executable, "-c", maker, str(tmp_path), name]
    done = subprocess.run(command, start_new_session=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert up(make(**mode), name)


@pytest.fixture
def editable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The source of a datastore's package, which is elsewhere than what pip has installed of it."""
    folder = tmp_path / "checkout" / "src" / "brought"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("WHAT = 'an engine'\n")
    open_to_others(folder)
    install(tmp_path / "site", monkeypatch, DATASTORES, postgresql="brought:DATASTORE")
    monkeypatch.syspath_prepend(str(folder.parent))
    sandbox._python.cache_clear()
    yield folder
    sandbox._python.cache_clear()


def test_the_agent_sees_datastores_that_are_editable(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path, editable: Path
) -> None:
    script = f"cat {editable}/__init__.py >{SIGN}.new && mv {SIGN}.new {SIGN}; exec sleep 1000"
    boot(make(script, **mode), name)
    until(sign(tmp_path, name).exists)
    assert sign(tmp_path, name).read_text() == "WHAT = 'an engine'\n"


def test_a_datastore_that_no_one_else_may_read_is_named(
    make: Make, mode: dict[str, str], name: str, editable: Path
) -> None:
    (editable / "__init__.py").chmod(0o600)
    others = pytest.raises(Failed, match=f"cannot read {editable}/__init__.py")
    with others if IS_ROOT else nullcontext():
        boot(make(**mode), name)


def test_an_agent_that_keeps_ending_is_reported_with_its_last_words(
    make: Make, mode: dict[str, str], name: str
) -> None:
    provider = make("echo no such engine >&2; exit 3", **mode)
    boot(provider, name)
    until(lambda: view_of(provider.compute, name).agent_error)
    view = view_of(provider.compute, name)
    assert (view.state, view.agent_error) == (ServerState.UP, "no such engine")


def test_delete_ends_a_daemon_that_hides_and_ignores_signals(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    """An engine: in a session of its own, its parent dead, deaf to SIGTERM."""
    daemon = f"trap '' TERM; echo $$ >{SIGN}; while :; do sleep 1; done"
    script = f'setsid sh -c "{daemon}" agent "$1" & sleep 1000'.replace("$$", r"\$\$")
    provider = make(script.replace("$1/config", r"\$1/config"), **mode)
    boot(provider, name)
    until(sign(tmp_path, name).exists)
    remove(provider, name)
    assert not Traces.of(name, tmp_path)


def test_a_supervisor_that_is_killed_leaves_no_engine_behind(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    provider = make(f"echo x >>{SIGN}; exec sleep 1000", **mode)
    spec = boot(provider, name)
    until(sign(tmp_path, name).exists)
    for process in Traces.of(name, tmp_path).processes:
        with suppress(OSError):  # it has ended meanwhile, with the one killed before it
            if b"supervise.sh" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)
    until(lambda: not up(provider, name))
    assert "runs" in view_of(provider.compute, name).detail
    provider.compute.start_server(spec)
    until(lambda: sign(tmp_path, name).read_text().count("x") == 2)
    sleeping = [p for p in Traces.of(name, tmp_path).processes if is_sleeping(p)]
    assert len(sleeping) == 1


def is_sleeping(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text() == "sleep\n"
    except OSError:
        return False


def test_resize_is_written_for_the_agent(make: Make, name: str, tmp_path: Path) -> None:
    provider = make()
    boot(provider, name)
    written = tmp_path / "local/servers" / name / "agent/place.json"

    def size() -> tuple[int, int]:
        place = json.loads(written.read_text())
        return place["memory"], place["vcpus"]

    other = replace(SMALL, memory=SMALL.memory // 2, vcpus=2)
    for _ in range(2):
        provider.compute.begin_resize(name, other)
        assert provider.compute.resize_state(name) is ResizeState.DONE
        assert size() == (SMALL.memory, 2)
    provider.compute.revert_resize(name, SMALL)
    assert size() == (SMALL.memory, SMALL.vcpus)
    provider.compute.begin_resize(name, other)
    for _ in range(2):
        provider.compute.confirm_resize(name, other)
        assert size() == (other.memory, other.vcpus)


def test_a_lost_record_is_written_again(
    make: Make, mode: dict[str, str], name: str, tmp_path: Path
) -> None:
    """A file system may keep of a new file no more than its name when the power is cut."""
    provider = make(f"echo x >>{SIGN}; exec sleep 1000", **mode)
    spec = boot(provider, name)
    until(sign(tmp_path, name).exists)
    record = tmp_path / "local/servers" / name / "server.json"
    known = record.read_text()
    record.write_text("")
    assert view_of(provider.compute, name).state is ServerState.DOWN
    provider.compute.start_server(spec)
    assert record.read_text() == known
    assert up(provider, name)
    assert sign(tmp_path, name).read_text() == "x\n"  # the processes have survived


def test_what_does_not_exist_is_not_resized_or_started(make: Make, name: str) -> None:
    with pytest.raises(NotFound):
        make().compute.begin_resize(name, SMALL)
    with pytest.raises(NotFound):
        make().compute.confirm_resize(name, SMALL)
    with pytest.raises(Failed, match="is missing from"):
        make().compute.start_server(spec_of(name))
    with pytest.raises(Failed, match="no volume"):
        make().volumes.grow_volume(name, 2)


def test_the_view_says_what_nothing_holds(make: Make, mode: dict[str, str], name: str) -> None:
    provider = make(**mode)
    boot(provider, name)
    limits = " ".join(view_of(provider.compute, name).unenforced)
    assert ("isolation" in limits) == bool(mode)
    held = [word in limits for word in ("memory", "volume size", "size of the agent's files")]
    assert held == [not IS_ROOT] * 3


def test_processes_that_allocate_at_once_get_different_addresses(tmp_path: Path) -> None:
    """Two processes, a hundred names of their own and one in common."""
    script = (
        "import sys; from pathlib import Path; from tests.support.provider import *;"
        "n=local_provider(Path(sys.argv[1]), address_pool='127.70.9.0/24').network;"
        "print(*[n.ensure_address(f'{sys.argv[2]}{i}', 45432) for i in range(100)]);"
        "print(n.ensure_address('common', 45432))"
    )
    commands = [[sys.executable, "-c", script, str(tmp_path), who] for who in ("a", "b")]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True) for c in commands]
    answers = [p.communicate(timeout=HANG)[0].split() for p in running]
    assert answers[0][-1] == answers[1][-1]
    assert len({a for answer in answers for a in answer}) == 201
