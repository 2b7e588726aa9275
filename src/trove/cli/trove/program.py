"""What users type after `trove`. Finds the subcommand, runs it, and says what went wrong.

Each area of subcommands is a module in `commands/`; only the one that is called is imported, so
that a command answers at once.
"""

from __future__ import annotations

import getpass
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace

from trove.cli.command import Command
from trove.cli.trove.arguments import parser_of
from trove.cli.trove.commands import AREA_OF, load
from trove.cli.trove.context import Context
from trove.cli.trove.options import parse
from trove.cli.trove.output import Output
from trove.cli.trove.progress import START_OF_LINE
from trove.client.cloud import Cloud, cloud_of
from trove.client.errors import ClientError, WrongUsage
from trove.client.http import Http
from trove.client.identity import asks_identity
from trove.client.session import Session
from trove.client.token_cache import TokenCache
from trove.client.trace import Trace


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when done, 1 when not, 2 for wrong usage.

    Raises KeyboardInterrupt, with what goes on nevertheless.
    """
    options = parse(sys.argv[1:] if words is None else words)
    try:
        return run(options)
    except WrongUsage as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    except (ClientError, ValueError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
    except EOFError:
        print("\nERROR: The input ended where an answer was asked for.", file=sys.stderr)
    except BrokenPipeError:
        # As in `trove list | head`: Python flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def run(options: Namespace) -> int:
    """Raises ClientError, and ValueError for a column that there is not."""
    if options.version:
        print(f"trove {_version()}")
    elif options.help or options.command in (None, "help"):
        _help([options.command, *options.rest])
    elif options.command == "complete":
        _complete(options.rest)
    elif options.command in AREA_OF:
        _run_command(load(options.command), options)
    else:
        _run_unlisted(options)
    return 0


def _run_unlisted(options: Namespace) -> None:
    """A list of what is not served; raises NotServed, or WrongUsage for an unknown word."""
    from trove.cli.trove.manual import unknown  # noqa: PLC0415 - imports every subcommand
    from trove.cli.trove.unserved import LISTS, refusal_of  # noqa: PLC0415 - rarely needed

    command = LISTS.get(options.command)
    if command is None:
        raise refusal_of(options.command) or WrongUsage(unknown(options.command))
    _run_command(command, options)


def _run_command(command: Command[Context], options: Namespace) -> None:
    arguments = read_arguments(parser_of(command), options.rest)
    debug = options.debug or getattr(arguments, "debug", False)
    output = Output(
        stream=sys.stdout,
        format=getattr(arguments, "format", None) or options.format or "table",
        chosen=tuple(options.column + getattr(arguments, "more", [])),
        # NO_COLOR is understood by most programs (no-color.org).
        coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
    )
    context = Context(output, arguments, lambda: open_session(options, debug))
    try:
        command.run(context, arguments)
        # Here, where a broken pipe is still caught.
        sys.stdout.flush()
    except KeyboardInterrupt:
        goes_on = "what was begun goes on (`trove operation-list`)"
        raise KeyboardInterrupt(goes_on if context.has_begun else "") from None
    finally:
        context.close()


def read_arguments(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """A subcommand's own words; ends the process when they are wrong."""
    # Behind `--` stand names that begin with hyphens, which only the plain way leaves alone.
    if "--" in words:
        return parser.parse_args(words)
    # Else options and positionals may be mixed: the plain way takes a positional that may be
    # missing for missing when an option stands before it.
    return parser.parse_intermixed_args(words)


def open_session(options: Namespace, debug: bool) -> Session:
    """Raises Misconfigured. Nothing is sent yet."""
    cloud = _with_password(cloud_of(vars(options), os.environ))
    headers = _profiling(options.profile) if options.profile else {}
    http = Http(cloud, Trace(sys.stderr if debug else None), notice=_notice)
    return Session(cloud, http, TokenCache.of_user(os.environ), headers)


def _notice(text: str) -> None:
    # A line of progress may stand there.
    start = START_OF_LINE if sys.stderr.isatty() else ""
    print(f"{start}{text}", file=sys.stderr, flush=True)


def _with_password(cloud: Cloud) -> Cloud:
    """Ask for a password that is missing, where somebody can answer."""
    proved = cloud.password or cloud.token or cloud.application_credential_secret
    # Never where nobody could answer: a script must fail, not hang.
    if proved or not cloud.username or not asks_identity(cloud) or not sys.stdin.isatty():
        return cloud
    return replace(cloud, password=getpass.getpass(f"Password of {cloud.username}: "))


def _profiling(key: str) -> dict[str, str]:
    from trove.cli.trove.tracing import profiling_headers  # noqa: PLC0415 - seldom asked for

    return profiling_headers(key)


def _help(words: Sequence[str | None]) -> None:
    from trove.cli.trove.manual import manual_of, overview  # noqa: PLC0415 - imports every subcommand

    names = [word for word in words if word not in (None, "help")]
    print(manual_of(names[0]) if names and names[0] else overview())


def _complete(words: Sequence[str]) -> None:
    from trove.cli.trove.completion import script_for  # noqa: PLC0415 - imports every subcommand

    print(script_for(words[0] if words else "bash"))


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, and seldom

    return version("trove")
