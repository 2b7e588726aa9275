"""What is measured is what is meant: a wrong ruler would pass every file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.measure import code_lines_of
from tests.support.coverage_gate import ratio_of


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", 0),
        ("\n# a comment\n\n", 0),
        ('"""A docstring\n\nof three lines."""\n', 0),
        ("x = 1\n", 1),
        ("x = 1  # with a comment\n\ny = 2\n", 2),
        ('class A:\n    """A text."""\n\n    x: int\n    """Of a field."""\n', 2),
        ('x = """a text\nthat is\na value"""\n', 3),
        ("call(\n    1,\n    # why\n    2,\n)\n", 4),
        ("def f() -> None:\n    if True:\n        pass\n", 3),
    ],
)
def test_lines_of_code(text: str, lines: int) -> None:
    assert code_lines_of(text) == lines


def test_the_ratio_counts_what_is_shipped_for_tests_as_tests(tmp_path: Path) -> None:
    for name, lines in {
        "src/trove/code.py": 4,
        "src/trove/testing/double.py": 2,
        "tests/unit/test_code.py": 3,
        "examples/one/tests/test_one.py": 1,
        "examples/one/src/one.py": 9,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("x = 1\n" * lines)
    assert ratio_of(tmp_path) == "tests : code   6 : 4 lines = 1.50"
