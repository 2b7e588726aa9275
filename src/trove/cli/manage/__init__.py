"""trove-manage: what operators do on the metadata database itself, without the API.

The subcommands stand in `database.py`, `datastores.py` and `identity.py`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from trove.cli.command import Command
from trove.cli.manage import database, datastores, identity, unserved
from trove.cli.services import add_common, first_line_of, prepare_from
from trove.errors import TroveError
from trove.settings import Settings

COMMANDS: tuple[Command[Settings], ...] = (
    *database.COMMANDS,
    *datastores.COMMANDS,
    *identity.COMMANDS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0, or 1 with what went wrong on stderr; 2 for wrong arguments."""
    asked = parser().parse_args(argv)
    command: Command[Settings] = asked.command
    try:
        # quiet, for scripts read what is printed.
        command.run(prepare_from(asked, quiet=True), asked)
    except TroveError as error:
        return _failed(error.message)
    # Operators get a line that they can act on; the rest of it has statements with their values.
    except SQLAlchemyError as error:
        return _failed(f"the metadata database: {first_line_of(error)}")
    # Not at a question, where `asking` has it: MariaDB keeps what was done of a migration by then.
    except KeyboardInterrupt:
        again = f"trove-manage {command.name}"
        return _failed(f"interrupted, perhaps half-way: see what is there, and run `{again}` again")
    return 0


def parser() -> ArgumentParser:
    made = ArgumentParser(
        prog="trove-manage",
        description="Acts on the metadata database of an installation.",
        epilog="Each subcommand has an example: trove-manage <subcommand> --help",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(made)
    subcommands = made.add_subparsers(required=True, metavar="<subcommand>", title="subcommands")
    for command in COMMANDS:
        command.add_to(subcommands)
    for command in unserved.COMMANDS:
        command.add_to(subcommands, listed=False)
    return made


def _failed(message: str) -> int:
    print(f"trove-manage: {message}", file=sys.stderr)
    return 1
