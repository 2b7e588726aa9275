"""The source and the documentation are written in standard technical English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.measure import ROOT

WORDS = (
    r"told|tells?|tellers?|asks?|asked|asking|askers?"
    r"|doors?|knocks?|knocked|herd|breaths?|heed\w*|unheeded"
    r"|whoever|whatever they|nobody|somebody|bidden|beaten|ailments?|stumbl\w+"
    r"|forsaken|mends?|mended|strangers?|content if"
    r"|can not|lets? \w+ in\b|in peace|for ever|begun anew|anew"
    r"|comes? to be|came to be|takes? life|has life"
)
"""Words of a private dialect, or archaic ones; `style.md` of the design names the standard ones."""
FORBIDDEN = re.compile(rf"(?<![A-Za-z])(?:{WORDS})(?![A-Za-z])", re.IGNORECASE)

NAMES = re.compile(r"\bnobody:|[`\"]nobody[`\"]|\"Nobody\"|\.tell\(\)")
"""Names of others: the system's account, a value of the Trove API, a method of files."""

CHECKED = ("src", "tests")
LIST = Path(__file__).resolve()
SOURCES = sorted(p for top in CHECKED for p in (ROOT / top).rglob("*.py") if p != LIST)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def words_of(text: str) -> list[str]:
    """Forbidden words in a text; the parts of `snake_case` names count as words."""
    return FORBIDDEN.findall(NAMES.sub("", text).replace("_", " "))


def faults_of(path: Path) -> list[str]:
    lines = enumerate(path.read_text().splitlines(), 1)
    return [f"{number}: {word}" for number, line in lines for word in words_of(line)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_source_uses_standard_words(path: Path) -> None:
    assert not faults_of(path)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_documentation_uses_standard_words(path: Path) -> None:
    assert not faults_of(path)


def test_each_glossary_term_is_defined_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "GLOSSARY.md").read_text(), re.MULTILINE)
    terms = [term.strip() for row in rows[2:] for term in row.split(",")]
    assert len(terms) > 30
    assert sorted(set(terms)) == sorted(terms)


def test_the_checker_finds_what_it_looks_for() -> None:
    """A list that matches nothing would pass every file."""
    assert words_of("the agent is told") == ["told"]
    assert words_of("was_beaten, ask_for") == ["beaten", "ask"]
    assert words_of("tasks, masked, retell, telling apart, bedroom") == []
