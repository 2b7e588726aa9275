"""What a subcommand is, and the kind that one row describes: a request and its answer."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from trove.cli.trove.context import Context, Subject
from trove.cli.trove.output import FORMATS, Columns, Item
from trove.client.session import segment

COLLECTIONS = {
    "instance": "instances",
    "flavor": "flavors",
    "project": "projects",
}
"""Placeholder in a path -> the collection in which its name is looked up; others go as typed."""


@dataclass(frozen=True)
class Argument:
    """One argument as argparse takes it."""

    flags: tuple[str, ...]
    options: Mapping[str, Any]


def arg(*flags: str, **options: Any) -> Argument:
    """Long options have dashes; what users type with underscores is read as if it had them."""
    # Both spellings are in users' scripts; `options.dashed` turns what is typed.
    dashed = tuple(f"--{flag[2:].replace('_', '-')}" if "--" in flag else flag for flag in flags)
    return Argument(dashed, options)


def unserved(flag: str, **options: Any) -> Argument:
    """An option for what this release does not serve: sent as before, absent from the help."""
    return arg(flag, help=SUPPRESS, **options)


@dataclass(frozen=True)
class Command:
    """A subcommand: how it is called, and what it does."""

    name: str
    summary: str
    example: str
    """One, or several lines with remarks between them."""
    arguments: tuple[Argument, ...]
    run: Callable[[Context, Namespace], None]
    waits: bool = False
    """Starts an operation, so that it takes --wait."""
    watches: bool = False
    """Waits in any case, so that it takes --timeout."""

    def parser(self) -> ArgumentParser:
        parser = ArgumentParser(
            prog=f"trove {self.name}",
            description=self.summary,
            epilog=_epilog(self.example),
            formatter_class=RawDescriptionHelpFormatter,
            # An abbreviation in a script would mean something else, or nothing, with the next
            # option.
            allow_abbrev=False,
        )
        for argument in self.arguments:
            parser.add_argument(*argument.flags, **argument.options)
        if self.waits:
            add_waiting(parser)
        elif self.watches:
            add_timeout(parser)
        add_output(parser)
        return parser


def _epilog(example: str) -> str:
    title = "examples" if "\n" in example else "example"
    # argparse fills in %-words in an epilog.
    return f"{title}:\n{indent(example, '  ')}".replace("%", "%%")


def add_waiting(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("waiting")
    group.add_argument("--wait", action="store_true", help="wait until the operation has ended")
    add_timeout(group)


def add_timeout(parser: Any) -> None:
    parser.add_argument(
        "--timeout", type=float, default=1800, metavar="SECONDS", help="how long (%(default)s)"
    )


def add_output(parser: ArgumentParser) -> None:
    """These may stand before and after the subcommand; hence no defaults here."""
    group = parser.add_argument_group("output")
    unset: Any = {"default": SUPPRESS}
    group.add_argument("-f", "--format", choices=FORMATS, help="how to print (table)", **unset)
    column = {"metavar": "COLUMN", "dest": "more", "help": "only this (repeatable)", **unset}
    group.add_argument("-c", "--column", action="append", **column)
    as_json = {"dest": "format", "help": "the whole object, as the service gave it", **unset}
    group.add_argument("--json", action="store_const", const="json", **as_json)
    group.add_argument("--debug", action="store_true", help="print the HTTP exchange", **unset)


INSTANCE = arg("instance", help="name or id of the instance")
LIMIT = arg("--limit", type=int, metavar="N", help="at most so many")
MARKER = arg("--marker", metavar="ID", help="begin after this one")
# Each time that it is given adds to the words; argparse would keep the last ones alone.
SEVERAL: Mapping[str, Any] = {"nargs": "+", "action": "extend", "default": []}


@dataclass(frozen=True)
class Request:
    """A command that is one request: call it with a context and the parsed arguments.

    `{placeholders}` in `path` are arguments. `body` is what is sent, or makes it of the context
    and the arguments. The answer's `key` is shown: with `columns` as a list, else as one object.
    """

    method: str
    path: str
    body: Any = None
    key: str = ""
    columns: Columns | None = None
    query: tuple[str, ...] = ()
    """Arguments that are sent as the query, under their own names."""
    flat: Callable[[Item], Item] | None = None
    follows: bool = False
    """Whether it starts an operation on the instance in the path or the answer."""

    def __call__(self, context: Context, arguments: Namespace) -> None:
        path = self.path_of(context, arguments)
        body = self.body(context, arguments) if callable(self.body) else self.body
        query = {name: getattr(arguments, name) for name in self.query}
        # A list that ends after twenty looks like a whole one, so all pages are read.
        if self.pages(arguments):
            items = list(context.session.pages(path, self.key, **query))
            context.show_list(items, self.columns or {})
            return
        answer = context.session.send(self.method, path, body, query=query)
        subject = self.subject_of(path, answer.body) if self.follows else None
        if subject:
            context.follow(subject)
        self.show(context, answer.body, subject)

    def pages(self, arguments: Namespace) -> bool:
        """A list is shown whole, unless a number of items or a beginning is asked for."""
        chosen = getattr(arguments, "limit", None) or getattr(arguments, "marker", None)
        return self.columns is not None and self.method == "GET" and not chosen

    def path_of(self, context: Context, arguments: Namespace) -> str:
        def fill(match: re.Match[str]) -> str:
            name = match[1]
            wanted = str(getattr(arguments, name))
            if name in COLLECTIONS:
                # The paths of these collections take ids alone; names are the client's to look up.
                wanted = context.find(COLLECTIONS[name], wanted)
            return segment(wanted)

        return re.sub(r"\{(\w+)\}", fill, self.path)

    def subject_of(self, path: str, body: Any) -> Subject:
        """What the path names, or what the answer says was made."""
        _, *rest = path.strip("/").split("/")
        found = rest[0] if rest else body[self.key]["id"]
        return Subject(found, is_created=not rest, is_deleted=self.method == "DELETE")

    def show(self, context: Context, body: Any, subject: Subject | None) -> None:
        if not self.key or not body:
            return
        if self.columns is not None:
            context.show_list(body[self.key], self.columns)
            return
        thing = body[self.key]
        # What was answered at the beginning is out of date after the wait.
        if subject and context.waits:
            thing = context.fetch(subject) or thing
        context.show_one(thing, self.flat(thing) if self.flat else None)
