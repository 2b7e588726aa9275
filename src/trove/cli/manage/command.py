"""What a subcommand of trove-manage is."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prettytable import PrettyTable

from trove.cli.services import check_schema
from trove.cli.services.wiring import build_installation
from trove.errors import Invalid
from trove.services.installation import Caller, Installation
from trove.settings import Settings

OPERATOR = Caller(project_id="", user_id="trove-manage", is_admin=True)
"""In whose name an operator acts; there is no token."""


@dataclass(frozen=True)
class Argument:
    """One argument as argparse takes it."""

    flags: tuple[str, ...]
    options: Mapping[str, Any]


def arg(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


@dataclass(frozen=True)
class Command:
    """A subcommand: how it is called, and what it does."""

    name: str
    summary: str
    example: str
    run: Callable[[Settings, Namespace], None]
    arguments: tuple[Argument, ...] = ()

    def add_to(self, subcommands: Any) -> None:
        parser = subcommands.add_parser(
            self.name,
            help=self.summary,
            description=self.summary,
            epilog=f"example:\n  trove-manage {self.example}",
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for argument in self.arguments:
            parser.add_argument(*argument.flags, **argument.options)
        parser.set_defaults(command=self)


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    """The installation, whose metadata database is sure to be of this release."""
    # To write with this release's rules into another's tables could spoil them.
    check_schema(settings.url)
    installation = build_installation(settings)
    try:
        yield installation
    finally:
        installation.database.dispose()


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    shown = PrettyTable(columns, align="l")
    shown.add_rows([list(row) for row in rows])
    print(shown.get_string())


@contextmanager
def asking() -> Iterator[None]:
    """Around a question, before anything is done: raises Invalid when there is no answer."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        raise Invalid("interrupted; nothing was changed") from None


def secret_from_operator(what: str) -> str:
    """Asked for twice on a terminal, otherwise the first line of standard input."""
    # A script's password can be right the first time; who types sees nothing and may mistype.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    with asking():
        secret = getpass.getpass(f"{what}: ")
        again = getpass.getpass(f"{what} again: ")
    if again != secret:
        raise Invalid("the two do not match; nothing was changed")
    return secret
