"""trove-status: says before an upgrade whether anything stands in its way."""

from __future__ import annotations

import enum
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from trove import migrations
from trove.cli.services import add_common, first_line_of
from trove.cli.table import print_table
from trove.datastores import datastores
from trove.db import Database
from trove.errors import TroveError
from trove.models import DatastoreVersion
from trove.settings import Loaded, read_settings


class Outcome(enum.IntEnum):
    """Also the exit code, as of every OpenStack service's upgrade check."""

    SUCCESS = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True)
class Finding:
    """What one check has found."""

    check: str
    outcome: Outcome
    details: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: go on. 1: something to know. 2: do not upgrade yet. 255: could not look."""
    args = _parser().parse_args(argv)
    try:
        loaded = read_settings(args.config_file, args.config_dir)
        findings = [check(loaded) for check in CHECKS]
    except TroveError as error:
        findings = [Finding("Settings", Outcome.FAILURE, error.message)]
    rows = [(each.check, each.outcome.name.title(), each.details) for each in findings]
    print_table(("Check", "Result", "Details"), rows)
    return max(finding.outcome for finding in findings)


def settings_are_known(loaded: Loaded) -> Finding:
    """Every line of the files means something to this release."""
    outcome = Outcome.WARNING if loaded.warnings else Outcome.SUCCESS
    return Finding("Settings", outcome, "\n".join(loaded.warnings))


def schema_is_current(loaded: Loaded) -> Finding:
    """The metadata database answers and has the tables of this release."""
    try:
        current = migrations.current(loaded.settings.url)
    except SQLAlchemyError as error:
        return Finding("Metadata database", Outcome.FAILURE, first_line_of(error))
    if current == migrations.newest():
        return Finding("Metadata database", Outcome.SUCCESS)
    details = f"at revision {current or 'none'}: run `trove-manage db_sync`"
    return Finding("Metadata database", Outcome.FAILURE, details)


def datastores_are_known(loaded: Loaded) -> Finding:
    """Every active datastore version has its manager in this installation."""
    # Tables of another release may lack what is queried below.
    if schema_is_current(loaded).outcome:
        return Finding("Datastores", Outcome.WARNING, "not looked at: see the metadata database")
    database = Database(loaded.settings.url)
    with database.session() as session:
        used = set(session.scalars(select(DatastoreVersion.manager).distinct()))
    database.dispose()
    missing = sorted(used - set(datastores()))
    if not missing:
        return Finding("Datastores", Outcome.SUCCESS)
    return Finding("Datastores", Outcome.FAILURE, f"no package for: {', '.join(missing)}")


CHECKS: tuple[Callable[[Loaded], Finding], ...] = (
    settings_are_known,
    schema_is_current,
    datastores_are_known,
)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="trove-status",
        description=__doc__,
        epilog="example:\n  trove-status upgrade check --config-file /etc/trove/trove.conf",
        formatter_class=RawDescriptionHelpFormatter,
    )
    # Not subparsers, which would take no option that stands before them.
    parser.add_argument("upgrade", choices=["upgrade"], metavar="upgrade")
    parser.add_argument("check", choices=["check"], metavar="check", help="the only thing to do")
    add_common(parser)
    return parser
