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
    """Run until stopped: 143 after SIGTERM or SIGINT, 0 when told to stop for good."""
    asked = _parser().parse_args(arguments)
    try:
        _set_up_log(asked)
    except TroveError as error:
        print(f"trove-guestagent: {error.message}", file=sys.stderr)
        return 1
    agent = Agent(asked.directory)
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


def _set_up_log(asked: argparse.Namespace) -> None:
    """Raises Invalid for files that can not be used."""
    named = bool(asked.config_file or asked.config_dir)
    if named or asked.use_syslog or asked.log_file or asked.log_config_append:
        _set_up_as_asked(asked, are_files_named=named)
        return
    logging.basicConfig(
        level=logging.DEBUG if asked.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


def _set_up_as_asked(asked: argparse.Namespace, *, are_files_named: bool) -> None:
    # Few agents need these, and each of them has its memory to itself.
    from trove import logs  # noqa: PLC0415 - an entry point
    from trove.settings import Loaded, Settings, read_settings  # noqa: PLC0415 - an entry point

    loaded = Loaded(Settings(log_format="text"), (), ())
    if are_files_named:
        loaded = read_settings(asked.config_file, asked.config_dir)
    settings = loaded.settings
    settings = replace(
        settings,
        debug=settings.debug or asked.debug,
        use_syslog=settings.use_syslog or asked.use_syslog,
        log_file=asked.log_file or settings.log_file,
    )
    logs.configure(settings, config_append=asked.log_config_append)
    for warning in loaded.warnings:
        logging.getLogger(__name__).warning("%s", warning)
