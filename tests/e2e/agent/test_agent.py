"""A real agent with a real engine, and what may go wrong between it and its conductor."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.e2e.agent.conftest import HEARTBEAT, PASSWORD, Scene, scene_of
from tests.support.agents import add_instance, agent_row, guest_of, invite, task_row
from tests.support.waiting import HANG, until
from trove.conductor.calls import AgentCalls
from trove.db import Clock
from trove.errors import Unauthenticated
from trove.guestagent.link import Link
from trove.models import Instance, Task
from trove.protocol import Report, SyncRequest
from trove.services import agents
from trove.services.authority import load_authority

SMALLEST = "SELECT 1"


def test_a_tenant_reaches_the_engine_over_tls(scene: Scene) -> None:
    assert scene.query(SMALLEST) == [(1,)]
    # Another test may have restarted it: it is reported a little later than it can be reached.
    scene.await_state("running")
    row = agent_row(scene.installation, scene.instance_id)
    assert row.engine_version
    assert (row.volume_used or 0) > 0.01
    assert [d["name"] for d in row.accounts["databases"]] == ["app"]
    assert [u["name"] for u in row.accounts["users"]] == ["tenant"]


def test_no_other_authority_vouches_for_it(scene: Scene, tmp_path: Path) -> None:
    load_authority(tmp_path)
    with pytest.raises(Exception, match="certificate verify failed"):
        scene.query(SMALLEST, authority=tmp_path / "ca.crt")


def test_secrets_are_for_their_owner_alone(scene: Scene) -> None:
    directory = scene.guest.directory
    for name in ("credential", "state.json"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    for entry in (directory / "journal").iterdir():
        assert stat.S_IMODE(entry.stat().st_mode) == 0o600
        assert PASSWORD not in entry.read_text()
    key = scene.guest.root / "config" / "server.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert PASSWORD not in scene.guest.log()
    assert scene.token not in scene.guest.log()
    for pid in scene.guest.processes():
        with suppress(FileNotFoundError):  # an engine's process may end meanwhile
            assert PASSWORD not in Path(f"/proc/{pid}/cmdline").read_text()


def test_the_agent_is_small(scene: Scene) -> None:
    assert scene.guest.process is not None
    status = Path(f"/proc/{scene.guest.process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    print(f"{scene.guest.manager}: the agent has {resident:.1f} MiB RSS")
    assert resident < 50


def test_results_are_reported_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the next regular report, which is due long after this test would have failed."""
    holds: list[float] = []

    def receive(session: Session, instance_id: str, request: SyncRequest, clock: Clock) -> None:
        # The regular calls are those that may be held.
        if instance_id == scene.instance_id and request.hold:
            holds.append(request.hold)
        received(session, instance_id, request, clock)

    def until_reports_are_due_after(seconds: float) -> None:
        # An answer says when the next report is due, and a task brings an answer.
        until(lambda: scene.do("diagnose") and seconds in holds)

    received = agents.receive
    monkeypatch.setattr(agents, "receive", receive)
    with monkeypatch.context() as patch:
        patch.setattr(AgentCalls, "report_seconds", 10 * HANG)
        patch.setattr("trove.conductor.app.LONGEST_HOLD", 10 * HANG)
        until_reports_are_due_after(10 * HANG)
        assert scene.do("diagnose")
    holds.clear()
    until_reports_are_due_after(HEARTBEAT)


def test_restart_stop_and_start(scene: Scene) -> None:
    before = scene.guest.engine_pid()
    scene.do("restart")
    assert scene.guest.engine_pid() not in (0, before)
    scene.do("stop")
    for _ in range(3):
        scene.await_report()
        assert agent_row(scene.installation, scene.instance_id).engine_state == "stopped"
        assert scene.guest.engine_pid() == 0
    scene.do("start")
    assert scene.query(SMALLEST) == [(1,)]
    scene.do("resize", memory=384, vcpus=2)
    assert scene.query(SMALLEST) == [(1,)]
    hwinfo = scene.do("diagnose")["hwinfo"]
    assert hwinfo == {"mem_total": 384 * 1024, "num_cpus": 2}


def test_a_dead_engine_is_started_again(scene: Scene) -> None:
    pid = scene.guest.engine_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: scene.guest.engine_pid() not in (0, pid))
    scene.await_state("running")
    scene.await_tenant()
    assert "the engine has died" in scene.guest.log()


KILLED_IN: list[tuple[str, dict[str, Any]]] = [
    ("prepare", {}),
    ("create_databases", {"databases": [{"name": "k1"}, {"name": "k2"}]}),
    ("create_users", {"users": [{"name": "kim", "password": "p1 secret"}]}),
    ("grant", {"name": "kim", "databases": ["app", "k1"]}),
    ("change_passwords", {"users": [{"name": "kim", "password": "p2 secret"}]}),
    ("revoke", {"name": "kim", "database": "k1"}),
    ("update_user", {"name": "kim", "new_name": "kai", "new_password": "p3 secret"}),
    ("enable_root", {"password": "r00t secret"}),
    ("disable_root", {}),
    ("restart", {}),
    ("resize", {"memory": 320, "vcpus": 1}),
    ("stop", {}),
    ("start", {}),
    ("delete_database", {"name": "k2"}),
    ("delete_user", {"name": "kai"}),
    ("diagnose", {}),
]


def await_begin(scene: Scene, task_id: str) -> None:
    until(lambda: scene.journal(task_id).get("state"))


@pytest.mark.chaos
def test_an_agent_that_is_killed_at_each_task_does_it_once(scene: Scene) -> None:
    for kind, args in KILLED_IN:
        task_id = scene.dispatch(kind, **(scene.prepare_args() if kind == "prepare" else args))
        await_begin(scene, task_id)
        scene.guest.kill()
        scene.guest.start()
        task = scene.answer(task_id)
        assert task.error is None, f"{kind}: {task.error}"
        if kind == "revoke":
            assert scene.query(SMALLEST, "kim", "p2 secret") == [(1,)]
        if kind == "update_user":
            assert scene.query(SMALLEST, "kai", "p3 secret") == [(1,)]
    accounts = scene.do("grant", name="tenant", databases=["app"])["accounts"]
    assert {d["name"] for d in accounts["databases"]} == {"app", "k1"}
    assert {u["name"] for u in accounts["users"]} == {"tenant"}
    assert accounts["root_enabled"] is False
    assert scene.query(SMALLEST) == [(1,)]
    scene.do("delete_database", name="k1")


def test_what_was_done_is_not_done_again(scene: Scene) -> None:
    """The conductor forgets an answer: the agent gives it again from its journal."""
    wanted = {"databases": [{"name": "once"}]}
    task_id = scene.dispatch("create_databases", **wanted)
    scene.answer(task_id)
    with scene.installation.database.begin() as session:
        row = session.get_one(Task, task_id)
        row.answered, row.result = False, None
        # An answered task keeps no arguments; one restored from an older backup has them.
        row.sealed_args = scene.installation.vault.seal(wanted)
    assert scene.answer(task_id).error is None
    again = scene.answer(scene.dispatch("create_databases", databases=[{"name": "once"}]))
    assert again.error_kind == "exists"
    scene.do("delete_database", name="once")


def test_errors_come_back_as_what_they_are(scene: Scene) -> None:
    missing = scene.answer(scene.dispatch("delete_database", name="nowhere"))
    assert missing.error_kind == "not_found"
    unknown = scene.answer(scene.dispatch("make_coffee"))
    assert unknown.error_kind == "invalid"
    assert "make_coffee" in (unknown.error or "")


def test_nothing_is_lost_while_the_conductor_is_away(scene: Scene) -> None:
    task_id = scene.dispatch("restart")
    until(lambda: scene.journal(task_id).get("state"))
    scene.conductor.stop()
    until(lambda: scene.journal(task_id).get("state") == "succeeded")
    assert not task_row(scene.installation, task_id).answered
    pid = scene.guest.engine_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: scene.guest.engine_pid() not in (0, pid))
    scene.guest.kill()
    scene.guest.start()
    scene.conductor.start()
    assert scene.answer(task_id).error is None
    scene.await_tenant()


def test_a_silent_agent_is_seen_by_its_silence(scene: Scene) -> None:
    def last_word() -> datetime:
        reported_at = agent_row(scene.installation, scene.instance_id).reported_at
        assert reported_at is not None
        return reported_at

    first = last_word()
    until(lambda: last_word() > first, "it does not report")
    assert scene.guest.process is not None
    scene.guest.process.send_signal(signal.SIGSTOP)
    try:
        # What was on its way has arrived once nothing comes for two heartbeats.
        silent_for = 2 * HEARTBEAT

        def is_silent() -> bool:
            return (datetime.now(UTC) - last_word()).total_seconds() > silent_for

        until(is_silent)
        assert scene.query(SMALLEST) == [(1,)]
    finally:
        scene.guest.process.send_signal(signal.SIGCONT)
    quiet = last_word()
    until(lambda: last_word() > quiet)


def test_a_credential_is_good_for_its_own_instance(scene: Scene) -> None:
    other = add_instance(scene.installation, scene.guest.manager)
    link = Link(scene.conductor.url)
    answer = link.enrol(invite(scene.installation, other), "o" * 43)
    assert answer.instance_id == other
    task_id = scene.dispatch("diagnose")
    assert link.sync("o" * 43, SyncRequest(Report(), hold=0)).tasks == []
    with pytest.raises(Unauthenticated):
        link.sync("x" * 43, SyncRequest(Report(), hold=0))
    with pytest.raises(Unauthenticated):
        link.enrol(scene.token, "y" * 43)
    link.close()
    scene.answer(task_id)


def test_a_machine_that_goes_down_and_comes_back(scene: Scene) -> None:
    """SIGTERM stops the engine too; what should run runs again when the agent is back."""
    assert scene.guest.end() == 143
    until(lambda: not scene.guest.processes())
    scene.guest.start()
    scene.await_state("running")
    until(scene.guest.engine_pid)
    scene.await_tenant()


def test_a_certificate_is_renewed_while_the_engine_runs(scene: Scene) -> None:
    certificate = scene.guest.root / "config" / "server.crt"
    before, pid = certificate.read_bytes(), scene.guest.engine_pid()
    scene.guest.kill()
    state_file = scene.guest.directory / "state.json"
    state = json.loads(state_file.read_text())
    state_file.write_text(json.dumps(state | {"renew_at": 1.0}))
    scene.guest.start()
    until(lambda: certificate.read_bytes() != before)
    until(lambda: json.loads(state_file.read_text())["renew_at"] > time.time())
    until(lambda: "has a new certificate" in scene.guest.log())
    assert scene.query(SMALLEST) == [(1,)]
    assert scene.guest.engine_pid() == pid


ENGINES = pytest.mark.parametrize(("manager", "number"), [("postgresql", 30), ("mariadb", 35)])


@pytest.mark.engine
@ENGINES
def test_the_agent_of_a_deleted_instance_stops_for_good(
    manager: str, number: int, tmp_path: Path
) -> None:
    with scene_of(manager, number, tmp_path) as scene:
        scene.do("prepare", **scene.prepare_args())
        with scene.installation.database.begin() as session:
            session.get_one(Instance, scene.instance_id).deleted_at = datetime.now(UTC)
        assert scene.guest.process is not None
        assert scene.guest.process.wait(30) == 0
        until(lambda: not scene.guest.processes())


@pytest.mark.engine
@ENGINES
def test_an_engine_that_cannot_start_reports_why(manager: str, number: int, tmp_path: Path) -> None:
    number += 1
    with scene_of(manager, number, tmp_path) as scene, guest_of(manager, number) as squatter:
        with socket.socket() as taken:
            taken.bind((scene.guest.address, scene.guest.port))
            taken.listen()
            task = scene.answer(scene.dispatch("prepare", **scene.prepare_args()))
            assert task.error_kind == "failed"
            assert "ddress already in use" in (task.error or "")
            scene.await_state("failed")
        assert squatter.processes() == []
        scene.await_state("running")
