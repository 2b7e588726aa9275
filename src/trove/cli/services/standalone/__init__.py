"""`trove-standalone`: the whole service in one process on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trove.cli.services.standalone.lifecycle import (
    command_of,
    remove,
    restart,
    start_detached,
    status,
    stop,
)
from trove.cli.services.standalone.service import run
from trove.cli.services.wiring import with_api_certificate, with_own_certificate
from trove.errors import TroveError
from trove.files import restrict_umask
from trove.settings import Settings, load_settings

# Not the 0.0.0.0 of trove-api: it is tried out on laptops.
LOOPBACK = "127.0.0.1"

DESCRIPTION = """\
Runs the API, the conductor and the task manager in one process, with SQLite and local instances
unless the configuration says otherwise. A small supervisor beside it keeps the ports bound and
starts the service again when it dies.

  trove-standalone                     run in the foreground, stop with Ctrl-C
  trove-standalone start --detach      run in the background
  trove-standalone restart             restart it as it was started; its ports stay bound
  trove-standalone status              is it running, and where
  trove-standalone stop                stop the service; database servers go on running
  trove-standalone stop --instances    stop the database servers as well
  trove-standalone remove              delete every instance and all that the service wrote
"""

ACTIONS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "start": lambda settings, args: (
        start_detached(settings, args) if args.detach else run(settings, command_of(args))
    ),
    "restart": restart,
    "stop": stop,
    "status": status,
    "remove": remove,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when the requested state is reached."""
    args = _parser().parse_args(argv)
    restrict_umask()
    try:
        settings = standalone_settings(args.config_file, args.bind_host, args.debug)
        return ACTIONS[args.action](settings, args)
    except TroveError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1


def standalone_settings(
    files: Sequence[Path] = (), bind_host: str = LOOPBACK, debug: bool = False
) -> Settings:
    """The installation's settings, with the API on this address."""
    settings = load_settings(files)
    api = replace(settings.api, bind_host=bind_host)
    settings = replace(settings, api=api, debug=settings.debug or debug)
    return with_api_certificate(with_own_certificate(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "trove-standalone",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="start")
    parser.add_argument("--config-file", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument(
        "--bind-host",
        default=LOOPBACK,
        metavar="ADDRESS",
        help="where the API listens (default %(default)s: this machine only; others get TLS)",
    )
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--detach", action="store_true", help="start in the background")
    parser.add_argument(
        "--instances", action="store_true", help="with stop: stop the database servers too"
    )
    parser.add_argument("--yes", action="store_true", help="with remove: do not prompt")
    return parser


if __name__ == "__main__":
    sys.exit(main())
