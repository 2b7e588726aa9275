"""trove-manage: what operators do in the metadata database, without the API.

The subcommands are in `database.py`, `datastores.py`, `identity.py` and `orphans.py`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from trove.cli.command import Command
from trove.cli.manage import database, datastores, identity, orphans, unserved
from trove.cli.services import add_common, first_line_of, prepare_from
from trove.errors import TroveError
from trove.settings import Settings

COMMANDS: tuple[Command[Settings], ...] = (
    *database.COMMANDS,
    *datastores.COMMANDS,
    *identity.COMMANDS,
    *orphans.COMMANDS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 with an error on stderr, or 2 for wrong arguments."""
    args = parser().parse_args(argv)
    command: Command[Settings] = args.command
    try:
        # Quiet, because scripts read what is printed.
        command.run(prepare_from(args, quiet=True), args)
    except TroveError as error:
        return _failed(error.message)
    # The first line only: the rest has statements with their values.
    except SQLAlchemyError as error:
        return _failed(f"the metadata database: {first_line_of(error)}")
    # At a prompt, `confirming` handles it. Some databases keep half of an interrupted migration.
    except KeyboardInterrupt:
        again = f"trove-manage {command.name}"
        return _failed(f"interrupted, perhaps halfway: check the result, and run `{again}` again")
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
