"""A pytest plugin: where TROVE_TESTS_REQUIRE_ENGINES is set, a skipped engine test has failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

REQUIRED = os.environ.get("TROVE_TESTS_REQUIRE_ENGINES", "0") not in {"", "0"}

EXCUSE = "another account may not"
"""Where the sources lie is no matter of engines."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    needed = REQUIRED and item.get_closest_marker("engine") and EXCUSE not in reason
    if needed and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, though engines are required here: {reason}"
    return report
