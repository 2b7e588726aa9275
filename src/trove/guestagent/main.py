"""The agent as a program.

Law: no file of settings is read unless it is named, for those of the control plane are not ours.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trove.errors import TroveError
from trove.guestagent.agent import Agent

SUMMARY = "The agent of one instance, inside its server."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped: 143 after SIGTERM or SIGINT, 0 when its instance was deleted."""
    options = _parser().parse_args(arguments)
    try:
        _set_up_log(options)
        agent = Agent(options.directory)
    except TroveError as error:
        print(f"trove-guestagent: {error.message}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    return agent.run()


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="trove-guestagent", description=SUMMARY, allow_abbrev=False)
    add = made.add_argument
    add("--directory", type=Path, required=True, metavar="DIR", help="the agent's own directory")
    what = "of its settings, the agent uses those of the log"
    add("--config-file", action="append", default=[], metavar="FILE", help=f"repeatable; {what}")
    add("--config-dir", action="append", default=[], metavar="DIR", help=f"its *.conf; {what}")
    add("--debug", "-d", action="store_true", help="log more")
    add("--use-syslog", action="store_true", help="log to the machine's syslog")
    add("--log-file", type=Path, metavar="FILE", help="log into this file")
    add(
        "--log-config-append",
        "--log-config",
        type=Path,
        metavar="FILE",
        help="a logging configuration of Python's, as .json or INI; it decides everything",
    )
    return made


def _set_up_log(options: argparse.Namespace) -> None:
    """Raises Invalid for files that cannot be used."""
    named = bool(options.config_file or options.config_dir)
    if named or options.use_syslog or options.log_file or options.log_config_append:
        _set_up_from_options(options, are_files_named=named)
        return
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


def _set_up_from_options(options: argparse.Namespace, *, are_files_named: bool) -> None:
    # Few agents need these, and each of them has its memory to itself.
    from trove import logs  # noqa: PLC0415 - an entry point
    from trove.settings import Loaded, Settings, read_settings  # noqa: PLC0415 - an entry point

    loaded = Loaded(Settings(log_format="text"), (), ())
    if are_files_named:
        loaded = read_settings(options.config_file, options.config_dir)
    settings = loaded.settings
    settings = replace(
        settings,
        debug=settings.debug or options.debug,
        use_syslog=settings.use_syslog or options.use_syslog,
        log_file=options.log_file or settings.log_file,
    )
    logs.configure(settings, config_append=options.log_config_append)
    for warning in loaded.warnings:
        logging.getLogger(__name__).warning("%s", warning)
