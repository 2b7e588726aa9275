"""The texts of `trove help`, and suggestions for an unknown subcommand."""

from __future__ import annotations

import difflib

from trove.cli.trove.arguments import parser_of
from trove.cli.trove.commands import AREA_OF, AREAS, about, load, of_area
from trove.cli.trove.options import parser
from trove.cli.trove.unserved import refusal_of
from trove.client.errors import WrongUsage

OWN = {"help": "Show this text, or that of a subcommand.", "complete": "Print shell completion."}
OWN_MANUALS = {
    "help": "usage: trove help [SUBCOMMAND or AREA]\n\n"
    "Show the first steps and every subcommand, or one of them with its arguments and examples.",
    "complete": "usage: trove complete [bash, zsh or fish]\n\n"
    "Print the completion of a shell, which it sources: source <(trove complete bash)",
}

FIRST_STEPS = """\
Start with:
  trove datastore-list; trove flavor-list
  trove create pg db.small --size 1 --datastore postgresql --databases app --users joe --wait
  trove connect pg --user joe"""


def overview() -> str:
    """The first steps, every subcommand by area, and the options."""
    usage, _, options = parser().format_help().partition("\noptions:")
    own = "\n".join(_line(name, summary) for name, summary in OWN.items())
    parts = [usage.rstrip(), FIRST_STEPS, *map(_section, AREAS), f"this command\n{own}"]
    end = "`trove help SUBCOMMAND` shows its arguments and examples."
    return "\n\n".join([*parts, f"options before the subcommand:{options.rstrip()}", end])


def _section(area: str) -> str:
    lines = [_line(each.name, each.summary.splitlines()[0]) for each in of_area(area)]
    return "\n".join([f"{area}: {about(area)}", *lines])


def _line(name: str, summary: str) -> str:
    return f"    {name:<30} {summary}"


def manual_of(name: str) -> str:
    """Of a subcommand or an area; raises WrongUsage or NotServed when there is none."""
    if name in AREA_OF:
        return parser_of(load(name)).format_help().rstrip()
    if name in AREAS:
        return _section(name)
    if name in OWN_MANUALS:
        return OWN_MANUALS[name]
    raise refusal_of(name) or WrongUsage(unknown(name))


def unknown(name: str) -> str:
    """The message for an unknown subcommand."""
    near = difflib.get_close_matches(name, [*AREA_OF, *OWN], n=3)
    if name in AREAS:
        near = AREAS[name].split()
    meant = f" Did you mean {', '.join(f'`{word}`' for word in near)}?" if near else ""
    return f"There is no subcommand '{name}'.{meant} `trove help` lists all."
