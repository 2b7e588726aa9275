"""--wait, operations that are watched and turned back, and how each ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tests.support.service import Reply, Service
from tests.unit.cli.trove.conftest import Result

from .conftest import INSTANCE, OPERATION, PG, operation

ONE = f"/instances/{PG}"


class TestWaiting:
    """--wait, and how it ends."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trove.client.operations.QUICK", 0.001)
        monkeypatch.setattr("trove.client.operations.SLOW", 0.001)

    @pytest.fixture
    def goes(self, service: Service) -> Callable[..., None]:
        def goes(*polls: Any) -> None:
            created = INSTANCE | {"status": "BUILD", "operation_id": OPERATION}
            service.on("POST", "/instances", Reply(200, {"instance": created}))
            started = {"X-Trove-Operation-Id": OPERATION}
            service.on("POST", f"{ONE}/action", Reply(202, None, started))
            service.on("DELETE", ONE, Reply(202, None, started))
            service.give("/operations", {"operations": [operation()]})
            answers = [Reply(200, {"operation": operation(**each)}) for each in polls]
            service.on("GET", f"/operations/{OPERATION}", *answers)

        return goes

    def test_a_line_for_each_change(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes(
            {"progress": 10, "step": "server.boot", "note": "booting"},
            {"progress": 10, "step": "server.boot", "note": "booting"},
            {"progress": 100, "state": "succeeded"},
        )
        result = trove("create", "pg", "2", "--size", "1", "--wait")
        assert result.code == 0
        assert result.err.splitlines() == [
            "instance.create   10 %  server.boot: booting",
            "instance.create  100 %  succeeded",
        ]
        assert " ACTIVE " in result.out

    @pytest.mark.parametrize("user", ["joe:pw", "joe"])
    def test_when_it_is_there_it_says_how_to_connect(
        self, goes: Callable[..., None], service: Service, trove: Callable[..., Result], user: str
    ) -> None:
        goes({"progress": 100, "state": "succeeded"})
        service.give("/instances", {"instances": [INSTANCE | {"name": "my pg"}]})
        result = trove("create", "my pg", "2", "--users", user, "other:pw", "--wait", stdin="pw\n")
        assert " ACTIVE " in result.out
        assert result.err.splitlines()[-1] == "Connect with: trove connect 'my pg' --user joe"

    @pytest.mark.parametrize(
        "instances", [[INSTANCE, INSTANCE | {"id": OPERATION}], [INSTANCE | {"name": "renamed"}]]
    )
    def test_an_ambiguous_name_is_not_suggested(
        self,
        goes: Callable[..., None],
        service: Service,
        trove: Callable[..., Result],
        instances: Any,
    ) -> None:
        goes({"progress": 100, "state": "succeeded"})
        service.give("/instances", {"instances": instances})
        result = trove("create", "pg", "2", "--users", "joe:pw", "--wait")
        assert result.code == 0
        assert result.err.splitlines()[-1] == f"Connect with: trove connect {PG} --user joe"

    def test_without_waiting_or_users_there_is_nothing_to_connect_with(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({"progress": 100, "state": "succeeded"})
        assert "Connect" not in trove("create", "pg", "2", "--users", "joe:pw").err
        assert "Connect" not in trove("create", "pg", "2", "--wait").err

    def test_one_line_that_changes_on_a_terminal(
        self,
        goes: Callable[..., None],
        trove: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        goes({"step": "server.boot"}, {"progress": 100, "state": "succeeded"})
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        result = trove("restart", "pg", "--wait")
        assert result.err.count("\r\x1b[2K") == 3
        assert "\n" not in result.err

    def test_a_metadata_database_that_restarts_is_waited_for(
        self, goes: Callable[..., None], service: Service, trove: Callable[..., Result]
    ) -> None:
        goes({})
        away = Reply(503, {"serviceUnavailable": {"message": "away"}}, {"Retry-After": "0"})
        over = Reply(200, {"operation": operation(state="succeeded", progress=100)})
        listed = Reply(200, {"operations": [operation()]})
        service.on("GET", "/operations", *[away] * 6, listed)
        service.on("GET", f"/operations/{OPERATION}", *[away] * 6, over)
        result = trove("restart", "pg", "--wait")
        assert result.code == 0
        assert "waiting for the service: away (HTTP 503)" in result.err
        assert result.err.splitlines()[-1] == "instance.create  100 %  succeeded"

    def test_a_failure_says_why_and_what_to_do(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({"state": "failed", "error": "no space left"})
        result = trove("create", "pg", "2", "--wait")
        assert result.code == 1
        assert result.err.splitlines()[-2:] == [
            f"ERROR: instance.create has failed: no space left (operation {OPERATION})",
            f"See `trove show {PG}` for the state that it left; "
            f"`trove delete {PG}` removes every trace.",
        ]

    @pytest.mark.parametrize(
        ("line", "advice"),
        [
            ("restart pg", "; remove the cause that it names, then repeat the command."),
            ("delete pg", f"; `trove delete {PG}` tries it again."),
        ],
    )
    def test_the_advice_fits_what_has_failed(
        self, goes: Callable[..., None], trove: Callable[..., Result], line: str, advice: str
    ) -> None:
        goes({"state": "failed", "error": "no space left"})
        last = trove(*line.split(), "--wait").err.splitlines()[-1]
        assert last == f"See `trove show {PG}` for the state that it left{advice}"

    def test_a_failure_that_is_watched_has_the_advice_too(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({"state": "failed", "error": "no space left"})
        result = trove("operation-watch", "pg")
        assert result.code == 1
        assert result.err.endswith(f"`trove delete {PG}` removes every trace.\n")

    def test_the_timeout_ends_the_wait(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({})
        result = trove("restart", "pg", "--wait", "--timeout", "0.01")
        assert result.code == 1
        assert "still going on after 0.01 s" in result.err

    @pytest.mark.parametrize("timeout", ["nan", "-1", "-inf", "soon", ""])
    def test_a_timeout_that_is_none_starts_nothing(
        self, goes: Callable[..., None], trove: Callable[..., Result], timeout: str
    ) -> None:
        goes({})
        result = trove("restart", "pg", "--wait", f"--timeout={timeout}")
        assert result.code == 2
        assert "argument --timeout: invalid" in result.err

    @pytest.mark.parametrize("timeout", ["0", "1e3", "inf"])
    def test_a_timeout_may_be_none_or_endless(
        self, goes: Callable[..., None], trove: Callable[..., Result], timeout: str
    ) -> None:
        goes({"state": "succeeded"})
        assert trove("restart", "pg", "--wait", "--timeout", timeout).code == 0

    def test_a_deletion_shows_nothing(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({"state": "succeeded"})
        result = trove("delete", "pg", "--wait")
        assert (result.code, result.out) == (0, "")

    def test_without_waiting_it_says_how_to_follow(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({})
        result = trove("delete", "pg")
        assert result.err == f"Accepted; follow it with `trove operation-watch {OPERATION}`.\n"

    @pytest.mark.parametrize("wait", [True, False])
    def test_a_change_that_starts_no_operation_waits_for_none(
        self,
        goes: Callable[..., None],
        service: Service,
        trove: Callable[..., Result],
        wait: bool,
    ) -> None:
        """Not even for an older operation that has failed."""
        goes({"state": "failed", "error": "no space left"})
        service.on("PUT", ONE, Reply(202))
        result = trove("update", "pg", "--is-public", *(["--wait"] if wait else []))
        assert result.code == 0
        assert "operation-watch" not in result.err
        assert ("change  100 %  succeeded" in result.err) is wait

    def test_what_is_gone_by_the_end_is_shown_as_it_was(
        self, goes: Callable[..., None], service: Service, trove: Callable[..., Result]
    ) -> None:
        goes({"state": "succeeded"})
        service.on("GET", ONE, Reply(404, {"itemNotFound": {"message": "gone"}}))
        assert trove("create", "pg", "2", "--wait").code == 0

    def test_other_refusals_at_the_end_stand(
        self, goes: Callable[..., None], service: Service, trove: Callable[..., Result]
    ) -> None:
        goes({"state": "succeeded"})
        service.on("GET", ONE, Reply(403, {"forbidden": {"message": "no"}}))
        assert trove("create", "pg", "2", "--wait").err.endswith("ERROR: no (HTTP 403)\n")

    def test_a_service_without_operations_is_watched_by_status(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
        service.give(ONE, {"instance": {**INSTANCE, "status": "ERROR"}})
        result = trove("create", "pg", "2", "--wait")
        assert result.code == 1
        assert result.err.endswith(f"`trove delete {PG}` removes every trace.\n")

    def test_watching_an_operation_or_an_instance(
        self, goes: Callable[..., None], trove: Callable[..., Result]
    ) -> None:
        goes({"state": "succeeded", "steps": [{"name": "server.boot", "state": "done"}]})
        for command, wanted in product(("watch", "show"), (OPERATION, PG, "pg")):
            result = trove(f"operation-{command}", wanted)
            assert result.code == 0
            assert "server.boot (done)" in result.out

    def cancelling(self, service: Service, *states: Any, **changes: Any) -> None:
        service.on("POST", f"/operations/{OPERATION}/action", Reply(202))
        service.give("/operations", {"operations": [operation()]})
        answers = [Reply(200, {"operation": operation(state=state, **changes)}) for state in states]
        service.on("GET", f"/operations/{OPERATION}", *answers)

    def test_cancelling_the_newest_of_an_instance(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        self.cancelling(service, "undoing")
        result = trove("operation-cancel", "pg")
        assert service.received[-1].body == {"cancel": {}}
        assert result.err == (
            f"The operation is being undone; follow it with `trove operation-watch {OPERATION}`.\n"
        )

    def test_cancelling_ends_well_when_it_is_turned_back(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        self.cancelling(service, "undoing", "cancelled")
        result = trove("operation-cancel", "pg", "--wait")
        assert result.code == 0
        assert " cancelled " in result.out
        assert result.err.splitlines() == [
            "instance.create   10 %  undoing",
            "instance.create   10 %  cancelled",
            f"See `trove show {PG}` for the state that it left; "
            f"`trove delete {PG}` removes every trace.",
        ]

    def test_what_was_there_before_stays(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        self.cancelling(service, "cancelled", workflow="instance.resize_volume")
        assert "delete" not in trove("operation-cancel", OPERATION, "--wait").err

    def test_cancelling_too_late_is_an_error(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        self.cancelling(service, "succeeded")
        result = trove("operation-cancel", "pg", "--wait")
        assert result.code == 1
        assert (
            "ERROR: instance.create has succeeded: it could not be turned back any more."
            in result.err
        )

    def test_nothing_to_watch(self, service: Service, trove: Callable[..., Result]) -> None:
        service.give("/operations", {"operations": []})
        assert "There is no operation on 'pg'" in trove("operation-watch", "pg").err

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ("xyz", "There is no operation with the id, and no instance with the name, 'xyz'."),
            (OPERATION, f"There is no operation, and no instance with one, '{OPERATION}'."),
        ],
    )
    def test_what_is_not_known_may_be_either(
        self, service: Service, trove: Callable[..., Result], wanted: str, message: str
    ) -> None:
        service.give("/operations", {"operations": []})
        assert trove("operation-show", wanted).err == f"ERROR: {message} (HTTP 404)\n"

    def test_a_refusal_to_list_instances_stands(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.on("GET", "/instances", Reply(403, {"f": {"message": "no"}}))
        assert trove("operation-show", "pg").err == "ERROR: no (HTTP 403)\n"

    def test_a_refusal_to_show_an_operation_stands(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.on("GET", f"/operations/{OPERATION}", Reply(403, {"f": {"message": "no"}}))
        assert trove("operation-watch", OPERATION).err == "ERROR: no (HTTP 403)\n"

    @pytest.mark.parametrize("line", ["restart", "operation-watch"])
    def test_being_interrupted_stops_nothing(
        self,
        goes: Callable[..., None],
        trove: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
        line: str,
    ) -> None:
        goes({})

        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        # While it is sent, and while it is watched.
        where = {"restart": "http.Http.request", "operation-watch": "operations.Watcher.watch"}
        monkeypatch.setattr(f"trove.client.{where[line]}", interrupt)
        result = trove(line, PG)
        assert result.code == 130
        assert result.err == (
            "\nInterrupted; what was started continues (`trove operation-list`).\n"
        )
