"""A pytest plugin: prints the coverage of each package, fails the run where it is too low.

It prints how many lines of tests there are for one of code, too, which fails nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.measure import ROOT, code_lines_of

COMPLETE = ("engine", "workflows", "services", "models")
ELSEWHERE = 90.0
REPORT = Path("coverage.json")


@dataclass
class Tally:
    """Lines and branches of one package together, as coverage counts them."""

    covered: int = 0
    total: int = 0

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.total if self.total else 100.0


def tallies_of(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, Tally]:
    """Coverage's JSON report, added up by package."""
    packages: dict[str, Tally] = defaultdict(Tally)
    for path, entry in report["files"].items():
        below = path.partition("trove/")[2]
        tally, summary = packages[below.partition("/")[0]], entry["summary"]
        tally.covered += summary["covered_lines"] + summary.get("covered_branches", 0)
        tally.total += summary["num_statements"] + summary.get("num_branches", 0)
    return dict(packages)


def ratio_of(root: Path) -> str:
    """Tests to code in lines of code; what is shipped for tests counts as tests."""
    shipped = [root / "src/trove/testing", *root.glob("examples/**/tests")]
    tests = sum(lines_in(folder) for folder in (root / "tests", *shipped))
    code = lines_in(root / "src") - lines_in(shipped[0])
    return f"tests : code   {tests} : {code} lines = {tests / code:.2f}"


def lines_in(folder: Path) -> int:
    return sum(code_lines_of(path.read_text()) for path in folder.rglob("*.py"))


def bar_of(package: str) -> float:
    return 100.0 if package in COMPLETE else ELSEWHERE


def is_worker(config: pytest.Config) -> bool:
    """Whether this is one of several processes, which know a part of the coverage only."""
    return hasattr(config, "workerinput")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Runs when the report is written, before the summary is printed."""
    if not REPORT.exists() or session.config.option.collectonly or is_worker(session.config):
        return
    report = json.loads(REPORT.read_text())
    session.config.stash[TALLIES] = tallies_of(report)
    session.config.stash[GAPS] = _gaps_of(report)
    low = [p for p, t in session.config.stash[TALLIES].items() if t.percent < bar_of(p)]
    if low and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stash = terminalreporter.config.stash
    if TALLIES not in stash:
        return
    terminalreporter.section("coverage, lines and branches")
    for package, tally in sorted(stash[TALLIES].items()):
        verdict = "ok" if tally.percent >= bar_of(package) else "TOO LOW"
        terminalreporter.line(
            f"{package:<16} {tally.percent:6.1f} %   at least {bar_of(package):5.1f} %   {verdict}"
        )
    for gap in stash[GAPS]:
        terminalreporter.line(gap)
    terminalreporter.line(ratio_of(ROOT))


TALLIES = pytest.StashKey[dict[str, Tally]]()
GAPS = pytest.StashKey[list[str]]()


def _gaps_of(report: dict[str, dict[str, dict[str, list[int]]]]) -> list[str]:
    """What is missing where nothing may be missing."""
    return [
        f"    {path}: lines {entry['missing_lines']}, branches {entry.get('missing_branches', [])}"
        for path, entry in report["files"].items()
        if path.partition("trove/")[2].partition("/")[0] in COMPLETE
        and (entry["missing_lines"] or entry.get("missing_branches"))
    ]
