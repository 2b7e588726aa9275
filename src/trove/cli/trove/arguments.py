"""The arguments that several subcommands share."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping
from typing import Any

from trove.cli.command import Argument, Command, arg, grouped
from trove.cli.trove.context import Context
from trove.cli.trove.output import FORMATS

INSTANCE = arg("instance", help="name or id of the instance")
LIMIT = arg("--limit", type=int, metavar="N", help="at most so many")
MARKER = arg("--marker", metavar="ID", help="begin after this one")
# `extend`, because argparse would keep only the words of the last occurrence.
SEVERAL: Mapping[str, Any] = {"nargs": "+", "action": "extend", "default": []}


def patience(text: str) -> float:
    """Seconds; raises ValueError for less than none, and for what is no number."""
    if not (found := float(text)) >= 0:
        raise ValueError(text)
    return found


TIMEOUT = arg(
    "--timeout", type=patience, default=1800, metavar="SECONDS", help="how long (%(default)s)"
)
WAITING = grouped(
    "waiting",
    arg("--wait", action="store_true", help="wait until the operation has ended"),
    TIMEOUT,
)
"""Of every subcommand that starts an operation."""

_UNSET: Mapping[str, Any] = {"default": SUPPRESS}
OUTPUT = grouped(
    "output",
    arg("-f", "--format", choices=FORMATS, help="how to print (table)", **_UNSET),
    arg(
        "-c",
        "--column",
        action="append",
        metavar="COLUMN",
        dest="more",
        help="only this (repeatable)",
        **_UNSET,
    ),
    arg(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        help="the whole object, as returned by the service",
        **_UNSET,
    ),
    arg("--debug", action="store_true", help="print the HTTP exchange", **_UNSET),
)
"""Of every subcommand; without defaults, because they may also stand before it."""


def unserved(flag: str, **options: Any) -> Argument:
    """An option for what this release does not serve: sent as before, absent from the help."""
    return arg(flag, help=SUPPRESS, **options)


def parser_of(command: Command[Context]) -> ArgumentParser:
    return command.parser("trove", OUTPUT)
