"""What a subcommand of `trove` or `trove-manage` is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from textwrap import indent
from typing import Any, Generic, TypeVar

Environment = TypeVar("Environment")
"""What a program passes to its subcommands."""


@dataclass(frozen=True)
class Argument:
    """One argument as argparse takes it."""

    flags: tuple[str, ...]
    options: Mapping[str, Any]
    group: str = ""
    """The heading in the help text; empty for that of argparse."""


def arg(*flags: str, **options: Any) -> Argument:
    """Long options have dashes; `trove` also accepts underscores in their place."""
    dashed = tuple(f"--{flag[2:].replace('_', '-')}" if "--" in flag else flag for flag in flags)
    return Argument(dashed, options)


def grouped(group: str, *arguments: Argument) -> tuple[Argument, ...]:
    return tuple(replace(argument, group=group) for argument in arguments)


@dataclass(frozen=True)
class Command(Generic[Environment]):
    """A subcommand: how it is called, and what it does."""

    name: str
    summary: str
    example: str
    """Whole command lines, with comments between them."""
    arguments: tuple[Argument, ...]
    run: Callable[[Environment, Namespace], None]

    def parser(self, program: str, more: Iterable[Argument] = ()) -> ArgumentParser:
        """For this subcommand alone; `more` are arguments that every subcommand takes."""
        return self._filled(ArgumentParser(prog=f"{program} {self.name}", **self._texts()), more)

    def add_to(self, subcommands: Any, *, listed: bool = True) -> None:
        """One of many in the parser of the program; `listed` in its help text."""
        shown = {"help": self.summary} if listed else {}
        made = subcommands.add_parser(self.name, **shown, **self._texts())
        self._filled(made).set_defaults(command=self)

    def _texts(self) -> dict[str, Any]:
        title = "examples" if "\n" in self.example else "example"
        return {
            "description": self.summary,
            # argparse expands % in an epilog.
            "epilog": f"{title}:\n{indent(self.example, '  ')}".replace("%", "%%"),
            "formatter_class": RawDescriptionHelpFormatter,
            # A script's abbreviation would become ambiguous when an option is added.
            "allow_abbrev": False,
        }

    def _filled(self, parser: ArgumentParser, more: Iterable[Argument] = ()) -> ArgumentParser:
        groups: dict[str, Any] = {"": parser}
        for argument in (*self.arguments, *more):
            if argument.group not in groups:
                groups[argument.group] = parser.add_argument_group(argument.group)
            groups[argument.group].add_argument(*argument.flags, **argument.options)
        return parser
