"""The shape that the source is held to; run with `-s` to see the figures."""

from __future__ import annotations

from tests.architecture.measure import (
    comments_of,
    length_of,
    modules,
    nesting_of,
    parameters_of,
    percentile,
)

MODULES = modules()
FUNCTIONS = [(m, f) for m in MODULES for f in m.functions()]


def test_functions_are_short() -> None:
    lengths = [length_of(f) for _, f in FUNCTIONS]
    median, most = percentile(lengths, 0.5), percentile(lengths, 0.9)
    print(f"\nfunctions: {len(lengths)}, median {median}, p90 {most}, longest {max(lengths)} lines")
    too_long = [f"{m.where(f)} {f.name}: {length_of(f)}" for m, f in FUNCTIONS if length_of(f) > 50]
    assert not too_long
    assert median <= 8
    assert most <= 25


def test_files_are_short() -> None:
    sizes = [len(m.lines) for m in MODULES]
    most = percentile(sizes, 0.9)
    print(
        f"\nfiles: {len(sizes)}, median {percentile(sizes, 0.5)}, p90 {most}, longest {max(sizes)}"
    )
    assert not [f"{m.name}: {len(m.lines)}" for m in MODULES if len(m.lines) > 500]
    assert most <= 300


def test_functions_take_few_parameters() -> None:
    """More than six only by keyword, with a reason beside the exemption."""
    many = [
        f"{m.where(f)} {f.name}: {parameters_of(f)}"
        for m, f in FUNCTIONS
        if parameters_of(f) > 6 and "PLR0913" not in m.line_of(f)
    ]
    assert not many


def test_blocks_are_not_nested_deeply() -> None:
    deep = [f"{m.where(f)} {f.name}: {nesting_of(f)}" for m, f in FUNCTIONS if nesting_of(f) > 3]
    assert not deep


def test_comments_say_why_and_no_more() -> None:
    lines = sum(len(m.lines) for m in MODULES)
    comments = sum(comments_of(m) for m in MODULES)
    print(f"\ncomments: {comments} of {lines} lines, {comments / lines:.1%}")
    assert comments / lines <= 0.07
