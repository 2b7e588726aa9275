"""Every subcommand that `trove help` lists, on the real API with a fake provider and agent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.live import Live
from trove.cli.trove import main
from trove.cli.trove.commands import AREA_OF, AREAS, of_area
from trove.cli.trove.unserved import FEATURE_OF, FEATURES, LISTS, Feature

from .conftest import Result


@dataclass(frozen=True)
class Case:
    """A command line, and what its output or that of `then` contains."""

    line: str
    seen: str = ""
    """Begins with a hyphen: what it does not contain."""
    before: tuple[str, ...] = ()
    then: str = ""
    admin: bool = False


CREATE = "create {} 2 --size 1 --datastore postgresql --databases app --users u:secret-of-u --wait"
USER = "user-create pg {} a-password --databases app"

CASES = (
    Case("list", " pg "),
    Case("list --limit 1 --include-clustered", " postgresql "),
    Case("show pg", " ACTIVE "),
    Case(CREATE.format("new"), " new "),
    Case("delete old --wait", "- old ", (CREATE.format("old"),), "list"),
    Case("force-delete bad --wait", "- bad ", (CREATE.format("bad"),), "list"),
    Case("delete --force worse --wait", "- worse ", (CREATE.format("worse"),), "list"),
    Case("restart pg --wait", "succeeded", then="operation-show pg"),
    Case("update pg --is-private --allowed-cidr 10.0.0.0/8 --wait", "10.0.0.0/8", then="show pg"),
    Case("resize-instance pg 3 --wait", " 3 ", then="show pg -c flavor"),
    Case("resize-volume big 3 --wait", " 3 ", (CREATE.format("big"),), "show big -c volume"),
    Case("reset-status pg", " ACTIVE ", then="show pg", admin=True),
    Case("configuration-default pg", "shared_buffers"),
    Case("url pg --user u", "postgresql://u@"),
    Case("ca-show", "-----BEGIN CERTIFICATE-----"),
    Case("ssl-show pg --include-certificate", "BEGIN CERTIFICATE"),
    Case("database-create pg shop", " shop ", then="database-list pg"),
    Case("database-list pg", " app "),
    Case("database-delete pg gone", "- gone ", ("database-create pg gone",), "database-list pg"),
    Case(USER.format("clerk"), " clerk ", then="user-list pg"),
    Case("user-list pg", " u "),
    Case("user-show pg u", " u "),
    Case("user-delete pg gone", "- gone ", (USER.format("gone"),), "user-list pg"),
    Case("user-show-access pg u", " app "),
    Case(
        "user-grant-access pg reader more",
        " more ",
        (USER.format("reader"), "database-create pg more"),
        "user-show-access pg reader",
    ),
    Case(
        "user-revoke-access pg writer app",
        "- app ",
        (USER.format("writer"),),
        "user-show-access pg writer",
    ),
    Case(
        "user-update-attributes pg a --new_name b",
        " b ",
        (USER.format("a"),),
        "user-list pg",
    ),
    Case("root-enable pg", "password"),
    Case("root-show pg", "is_root_enabled"),
    Case("root-disable pg", "root.disable", ("root-enable pg",), "event-list --instance pg"),
    Case("operation-list --instance pg", "instance.create"),
    Case("operation-show pg", " (done) "),
    Case("operation-watch pg", "succeeded"),
    Case("event-list --instance pg --kind instance", "instance.create"),
    Case("datastore-list", " postgresql "),
    Case("datastore-show postgresql", " 15 "),
    Case("datastore-version-list postgresql", " 15 "),
    Case("datastore-version-show 15 --datastore postgresql", " 15 "),
    Case("flavor-list", " 2 "),
    Case("flavor-show 2", " ram "),
    Case("volume-type-list", " fake "),
    Case("volume-type-show fake", " fake "),
    Case("limit-list", " max_volumes "),
    Case("quota-show demo", " instances ", admin=True),
    Case("quota-update demo instances 30", " 30 ", admin=True),
)
ELSEWHERE = {"connect": "test_connecting.py", "operation-cancel": "below"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: Any) -> Iterator[Live]:
    running = Live(tmp_path_factory.mktemp("live"))
    yield running
    running.close()


@pytest.fixture
def trove(live: Live, monkeypatch: Any, capsys: Any, tmp_path: Any) -> Callable[..., Result]:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def run(line: str, admin: bool = False) -> Result:
        for name, value in live.with_password("root" if admin else "alice").items():
            monkeypatch.setenv(name, value)
        code = main(line.split())
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return run


@pytest.fixture
def pg(trove: Callable[..., Result]) -> str:
    """The id of an instance, made by the first test that needs it."""
    if " pg " not in trove("list -c Name").out:
        assert trove(CREATE.format("pg")).code == 0
    return str(json.loads(trove("--json show pg").out)["id"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.line)
def test_it_works(trove: Callable[..., Result], pg: str, case: Case) -> None:
    for line in case.before:
        assert trove(line).code == 0
    done = trove(case.line, case.admin)
    assert done.code == 0, done.err
    shown = trove(case.then) if case.then else done
    if case.seen.startswith("- "):
        assert case.seen[1:] not in shown.out
    else:
        assert case.seen in shown.out


def test_an_operation_is_cancelled(
    trove: Callable[..., Result], live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.world.agents, "run", lambda: None)
    assert trove(CREATE.format("stopped").replace(" --wait", "")).code == 0
    assert " cancelled " in trove("operation-cancel stopped --wait").out


@pytest.mark.parametrize("area", AREAS)
def test_the_table_of_contents_is_true(area: str) -> None:
    names = [command.name for command in of_area(area)]
    assert names == AREAS[area].split()


def test_every_subcommand_has_a_case() -> None:
    assert {case.line.split()[0] for case in CASES} | set(ELSEWHERE) == set(AREA_OF)


@pytest.mark.parametrize("name", FEATURE_OF)
def test_what_is_not_served_is_refused_without_a_request(
    trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("trove.cli.trove.program.open_session", None)
    done = trove(f"{name} x --any option")
    assert (done.code, done.out) == (1, "")
    advice = FEATURE_OF[name].advice
    assert done.err == f"ERROR: '{name}' is not served by this release. {advice}\n"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_help_for_what_is_not_served_says_so(
    trove: Callable[..., Result], feature: Feature
) -> None:
    assert f"'{feature.name}' is not served" in trove(f"help {feature.name}").err


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_what_is_not_served_is_empty(
    trove: Callable[..., Result], pg: str, name: str
) -> None:
    words = [name, *(["pg"] if LISTS[name].arguments[0].flags == ("instance",) else [])]
    done = trove(" ".join(words))
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 4
    assert json.loads(trove(" ".join(["--json", *words])).out) in ([], {})


def test_nothing_is_both_served_and_not_served() -> None:
    assert not set(AREA_OF) & (set(FEATURE_OF) | set(LISTS))
    assert len(FEATURE_OF) == sum(len(feature.commands.split()) for feature in FEATURES)
