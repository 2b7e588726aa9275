"""Finds the subcommand, runs it, and reports errors.

Each area of subcommands is a module in `commands/`; only the one that is called is imported, so
that a command starts fast.
"""

from __future__ import annotations

import getpass
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trove.cli.command import Command
from trove.cli.table import printable
from trove.cli.trove.arguments import parser_of
from trove.cli.trove.commands import AREA_OF, load
from trove.cli.trove.context import Context
from trove.cli.trove.options import notes_of, parse, with_environment
from trove.cli.trove.output import Output
from trove.cli.trove.progress import START_OF_LINE
from trove.client.cloud import Cloud, cloud_of
from trove.client.errors import ClientError, WrongUsage
from trove.client.http import Http
from trove.client.identity import uses_identity
from trove.client.session import Session
from trove.client.token_cache import TokenCache
from trove.client.trace import Trace


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 on success, 1 on failure, 2 for wrong usage.

    Raises KeyboardInterrupt, with what continues nevertheless.
    """
    options = with_environment(parse(sys.argv[1:] if words is None else words), os.environ)
    for note in notes_of(options):
        print(note, file=sys.stderr)
    try:
        return run(options)
    except WrongUsage as error:
        print(printable(f"ERROR: {error}"), file=sys.stderr)
        return 2
    except (ClientError, ValueError) as error:
        print(printable(f"ERROR: {error}"), file=sys.stderr)
    except EOFError:
        print("\nERROR: The input ended at a prompt.", file=sys.stderr)
    except BrokenPipeError:
        # As in `trove list | head`: Python flushes once more at its end, and would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def run(options: Namespace) -> int:
    """Raises ClientError, and ValueError for an unknown column."""
    if options.version:
        print(f"trove {_version()}")
    elif options.help or options.command in (None, "help") or _explains_itself(options):
        _help([options.command, *options.rest])
    elif options.command == "complete":
        _complete(options.rest)
    elif options.command in AREA_OF:
        _run_command(load(options.command), options)
    else:
        _run_unlisted(options)
    return 0


def _explains_itself(options: Namespace) -> bool:
    # Every other subcommand has a parser of its own for this.
    return options.command == "complete" and bool({"-h", "--help"} & set(options.rest))


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
        # A convention of many programs (no-color.org).
        coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
    )
    context = Context(output, arguments, lambda: open_session(options, debug))
    try:
        command.run(context, arguments)
        # A broken pipe is caught here, but not at the end of Python.
        sys.stdout.flush()
    except KeyboardInterrupt:
        continues = "what was started continues (`trove operation-list`)"
        raise KeyboardInterrupt(continues if context.has_started else "") from None
    finally:
        context.close()


def read_arguments(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """The arguments of a subcommand; exits when they are wrong."""
    # After `--` come names that begin with hyphens, which only parse_args leaves alone.
    if "--" in words:
        return parser.parse_args(words)
    # Otherwise options and positionals may be mixed: parse_args would treat an optional positional
    # as missing after an option.
    return parser.parse_intermixed_args(words)


def open_session(options: Namespace, debug: bool) -> Session:
    """Raises Misconfigured. Nothing is sent yet."""
    cloud = _with_password(cloud_of(vars(options), os.environ))
    headers = _profiling(options.profile) if options.profile else {}
    http = Http(cloud, Trace(sys.stderr if debug else None), notice=_notice, **_limits(options))
    return Session(cloud, http, TokenCache.of_user(os.environ), headers)


def _limits(options: Namespace) -> dict[str, Any]:
    given = {"timeout": options.timeout, "retries": options.retries}
    return {name: value for name, value in given.items() if value is not None}


def _notice(text: str) -> None:
    # It may have to replace a line of progress.
    start = START_OF_LINE if sys.stderr.isatty() else ""
    print(f"{start}{text}", file=sys.stderr, flush=True)


def _with_password(cloud: Cloud) -> Cloud:
    """Prompt for a missing password, on a terminal."""
    proved = cloud.password or cloud.token or cloud.application_credential_secret
    # Only there: a script must fail, not hang.
    if proved or not cloud.username or not uses_identity(cloud) or not sys.stdin.isatty():
        return cloud
    return replace(cloud, password=getpass.getpass(f"Password of {cloud.username}: "))


def _profiling(key: str) -> dict[str, str]:
    from trove.cli.trove.tracing import profiling_headers  # noqa: PLC0415 - rarely used

    return profiling_headers(key)


def _help(words: Sequence[str | None]) -> None:
    from trove.cli.trove.manual import manual_of, overview  # noqa: PLC0415 - imports every subcommand

    command, *more = words
    # `trove help NAME` and `trove NAME --help`.
    name = command if command not in (None, "help") else next(iter(more), None)
    print(manual_of(name) if name else overview())


def _complete(words: Sequence[str]) -> None:
    from trove.cli.trove.completion import script_for  # noqa: PLC0415 - imports every subcommand

    print(script_for(words[0] if words else "bash"))


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, and seldom

    return version("trove")
