"""What may not stand in the source, wherever it is."""

from __future__ import annotations

import ast
import re
from collections import Counter

from tests.architecture.measure import Module, modules

MODULES = modules()
VAGUE_MODULES = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
SERVICES = {"TaskManager"}
"""The service of that name."""
VAGUE_CLASS = re.compile(r"(Manager|Mixin|Impl|Helper|Utils?)$|^Base[A-Z]|^Abstract")

OUTERMOST = {
    "guestagent/child.py": 1,
    "engine/runner.py": 1,
    "engine/pool.py": 1,
    "guestagent/agent.py": 2,
    "guestagent/worker.py": 1,
    "api/outermost.py": 1,
    "entry_points.py": 1,
}
"""The loops that must not end, the engine's and the agent's, the API's outermost handler, and the
import of packages elsewhere."""


def test_every_module_opens_with_what_it_is() -> None:
    assert not [m.name for m in MODULES if m.text.strip() and not ast.get_docstring(m.tree)]


def test_names_of_modules_and_classes_say_something() -> None:
    assert not [m.name for m in MODULES if VAGUE_MODULES & set(m.name[:-3].split("/"))]
    vague = [
        f"{m.where(n)} {n.name}"
        for m in MODULES
        for n in ast.walk(m.tree)
        if isinstance(n, ast.ClassDef) and VAGUE_CLASS.search(n.name) and n.name not in SERVICES
    ]
    assert not vague


def test_only_the_outermost_loops_catch_everything() -> None:
    """Save to tidy up and raise again."""
    catching = Counter(m.name for m in MODULES for n in ast.walk(m.tree) if _swallows_all(n))
    assert not {name: n for name, n in catching.items() if n > OUTERMOST.get(name, 0)}


def test_imports_stand_at_the_top() -> None:
    """Save in entry points, which load what they run, and where a reason stands beside it."""
    hidden = [
        f"{m.where(inner)} in {f.name}"
        for m in MODULES
        if not m.name.startswith("cli/")
        for f in m.functions()
        for inner in ast.walk(f)
        if isinstance(inner, ast.Import | ast.ImportFrom) and "PLC0415" not in m.line_of(inner)
    ]
    assert not hidden


def test_only_the_outermost_layers_know_status_numbers() -> None:
    below = ("services/", "workflows/", "models/", "engine/", "providers/", "datastores/")
    numbers = [
        f"{m.where(node)}: {number}"
        for m in MODULES
        if m.name.startswith(below)
        for node, number in _error_statuses(m)
    ]
    assert not numbers


def test_no_type_error_is_silenced_without_saying_which() -> None:
    assert not [m.name for m in MODULES if re.search(r"# type: ignore(?!\[)", m.text)]


def test_nothing_runs_through_a_shell() -> None:
    shells = [
        m.where(n.value)
        for m in MODULES
        for n in ast.walk(m.tree)
        if isinstance(n, ast.keyword) and n.arg == "shell" and not _is_false(n.value)
    ]
    assert not shells


def test_no_class_has_more_than_one_level_of_own_ancestors() -> None:
    """Errors form a tree of their own, and so do the wire's documents; the rest is composed."""
    parents = {
        n.name: {b.id for b in n.bases if isinstance(b, ast.Name)}
        for m in MODULES
        if not m.name.endswith("errors.py") and not m.name.startswith("api/resources/")
        for n in ast.walk(m.tree)
        if isinstance(n, ast.ClassDef)
    }
    framework = {"Base", "Protocol"}
    deep = [
        name
        for name, own in parents.items()
        for parent in own - framework
        if (parents.get(parent, set()) & set(parents)) - framework
    ]
    assert not deep


def _swallows_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler) or _raises_again(node):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    wide = {"Exception", "BaseException"}
    return any(c is None or (isinstance(c, ast.Name) and c.id in wide) for c in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _error_statuses(module: Module) -> list[tuple[ast.expr, int]]:
    """Numbers from 400 on that are given, or compared, as a status."""
    given = [
        constant
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword) and node.arg in {"status_code", "status"}
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant)
    ]
    return [(c, c.value) for c in given if type(c.value) is int and 400 <= c.value < 600]


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
