"""No engine's name outside its own folder: what is particular to an engine stands there."""

from __future__ import annotations

import ast
import re

from tests.architecture.measure import SOURCE
from trove.datastores import datastores

FOLDERS = SOURCE / "datastores"
ELSEWHERE = (
    # The metadata database, which is one of these engines.
    "db.py",
    "notifications.py",
    "migrations/",
    "models/quota.py",
    # Names that settings and commands of earlier services know.
    "settings/",
    "cli/trove/connection.py",
    # Examples in help texts.
    "cli/trove/commands/",
    "cli/trove/manual.py",
    "cli/manage/",
    # The versions that the world of tests offers.
    "testing/world/",
)


def words_in(text: str) -> set[str]:
    """Words of identifiers and of values, not of comments and docstrings."""
    tree = ast.parse(text)
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    ]
    found += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found += [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {word for text in found for word in re.findall("[a-z]+", text.lower())}


def test_engines_are_named_in_their_folders_alone() -> None:
    engines = set(datastores())
    folders = {FOLDERS / path.name for path in FOLDERS.iterdir() if path.is_dir()}
    named = {}
    for path in SOURCE.rglob("*.py"):
        relative = path.relative_to(SOURCE).as_posix()
        if folders & set(path.parents) or relative.startswith(ELSEWHERE):
            continue
        found = words_in(path.read_text()) & engines
        if found:
            named[relative] = sorted(found)
    assert not named


def test_the_script_that_installs_engines_names_none() -> None:
    text = (SOURCE.parents[1] / "scripts" / "engines").read_text()
    assert not set(re.findall("[a-z]+", text.lower())) & {*datastores(), "memcached"}


def test_every_exception_still_is_one() -> None:
    assert not [path for path in ELSEWHERE if not (SOURCE / path).exists()]
