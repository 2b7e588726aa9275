"""Measures the shape of the source: what the house rules of this project are held by."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "trove"

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)


@dataclass(frozen=True)
class Module:
    """One file of the source, read once."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path below src/trove, as a person would say it."""
        return self.path.relative_to(SOURCE).as_posix()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def line_of(self, node: ast.stmt | ast.expr) -> str:
        return self.lines[node.lineno - 1]

    def functions(self) -> Iterator[Function]:
        return (
            n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        )

    def where(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.name}:{node.lineno}"


def modules() -> list[Module]:
    """Every file under src/trove."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        found.append(Module(path, text, ast.parse(text)))
    return found


def length_of(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters_of(function: Function) -> int:
    """How many parameters a caller sees: `self` and `cls` do not count."""
    arguments = function.args
    names = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    return len([n for n in names if n not in {"self", "cls"}])


def nesting_of(function: Function) -> int:
    """The deepest block of blocks; an `elif` is no deeper than its `if`."""
    return max((_depth(child) for child in ast.iter_child_nodes(function)), default=0)


def percentile(values: list[int], share: float) -> int:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


BLANK = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def code_lines_of(text: str) -> int:
    """Lines of code: not blank, no comments, no docstrings nor texts under fields."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    code = {
        line
        for token in tokens
        if token.type not in BLANK
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def comments_of(module: Module) -> int:
    """Lines that say something beside the code: comments, and the words under a field.

    Directives for tools do not count.
    """
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    directives = ("# noqa", "# type:", "# pragma")
    comments = [t for t in tokens if t.type == tokenize.COMMENT]
    said = [t for t in comments if not t.string.startswith(directives)]
    return len(said) + sum(
        _lines_under_fields(n.body) for n in ast.walk(module.tree) if _has_body(n)
    )


def _has_body(node: ast.AST) -> TypeGuard[ast.ClassDef | ast.Module]:
    return isinstance(node, ast.ClassDef | ast.Module)


def _lines_under_fields(body: list[ast.stmt]) -> int:
    pairs = zip(body, body[1:], strict=False)
    under = [after for before, after in pairs if isinstance(before, ast.Assign | ast.AnnAssign)]
    texts = [n for n in under if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return sum((n.end_lineno or n.lineno) - n.lineno + 1 for n in texts)


def _depth(node: ast.AST) -> int:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return 0
    own = isinstance(node, BLOCKS) and not _is_elif(node)
    for child in ast.iter_child_nodes(node):
        child.parent_block = node  # type: ignore[attr-defined]
    return own + max((_depth(child) for child in ast.iter_child_nodes(node)), default=0)


def _is_elif(node: ast.AST) -> bool:
    parent = getattr(node, "parent_block", None)
    return isinstance(node, ast.If) and isinstance(parent, ast.If) and parent.orelse == [node]
