"""The entry points of the services: trove-api, trove-taskmanager and trove-conductor.

Any number of each may run on one metadata database.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from trove import logs, migrations
from trove.cli.services.connections import Limits
from trove.cli.services.handover import take_over
from trove.cli.services.serving import SIGNALS, Endpoint, Site, serve
from trove.cli.services.web_server import Tls
from trove.cli.services.wiring import (
    build_provider,
    build_service,
    ensure_api_certificate,
    ensure_own_certificate,
    with_api_certificate,
    with_own_certificate,
)
from trove.cli.services.workers import END, share
from trove.db import PATIENCE, wait_until_available
from trove.errors import Failed, TroveError
from trove.files import restrict_umask
from trove.services.installation import Installation
from trove.settings import Settings, read_settings

if TYPE_CHECKING:
    from trove.cli.services.metrics_server import MetricsServer
    from trove.metrics import Metrics

log = logging.getLogger(__name__)

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Processes that share a port count together; it must be set before the counters are imported."""

EXAMPLE = """\
example:
  {program} --config-file /etc/trove/trove.conf --config-dir /etc/trove/conf.d
"""


def api(argv: Sequence[str] | None = None) -> int:
    """trove-api: the tenants' HTTP API."""
    return _run("trove-api", "Serve the tenants' HTTP API.", serve_api, argv)


def taskmanager(argv: Sequence[str] | None = None) -> int:
    """trove-taskmanager: carries operations out."""
    return _run("trove-taskmanager", "Carry operations out.", run_taskmanager, argv)


def conductor(argv: Sequence[str] | None = None) -> int:
    """trove-conductor: the guest agents' endpoint."""
    return _run("trove-conductor", "Serve the guest agents.", serve_conductor, argv)


def serve_api(settings: Settings) -> None:
    """Until a signal; in as many processes as `trove_api_workers` says."""
    settings = with_api_certificate(settings)
    endpoint = api_endpoint(settings)
    listener = _listener("api", endpoint)
    with listener, _counting_together(settings.api.workers):
        ensure_api_certificate(settings)
        # Not before the variable is set: prometheus_client looks at it while it is imported.
        from trove.api.app import create_app  # noqa: PLC0415 - an entry point

        def work() -> None:
            # Built in each process: connections to a database must not cross a fork.
            serve(Site(endpoint, create_app(build_service(settings)), listener))

        if settings.api.workers == 1:
            work()
        else:
            share(settings.api.workers, work)


def serve_conductor(settings: Settings) -> None:
    """Until a signal."""
    from trove.conductor import create_app  # noqa: PLC0415 - an entry point

    settings = with_own_certificate(settings)
    endpoint = conductor_endpoint(settings)
    with _listener("conductor", endpoint) as listener:
        # Once the port is taken, so that two conductors do not make a certificate at once.
        ensure_own_certificate(settings)
        app = create_app(build_service(settings))
        serve(Site(endpoint, app, listener, app.state.release))


def _listener(name: str, endpoint: Endpoint) -> socket.socket:
    """The socket of an init system that keeps it across restarts, or a new one; raises Failed."""
    handover = take_over(os.environ)
    listener = handover.listener(name, endpoint)
    handover.close()
    return listener


def api_endpoint(settings: Settings) -> Endpoint:
    """Where the tenants' API is served."""
    at = settings.api
    limits = Limits(total=at.max_connections, per_peer=at.max_connections_per_peer)
    tls = _tls_of(at.tls_certificate, at.tls_private_key) if at.has_tls else None
    return Endpoint(at.bind_host, at.bind_port, tls, at.trusted_proxies, limits)


def conductor_endpoint(settings: Settings) -> Endpoint:
    """Where agents are served, with TLS unless it is plain behind a `public_url`."""
    at = settings.conductor
    tls = _tls_of(at.tls_certificate, at.tls_private_key)
    limits = Limits(total=at.max_connections, per_peer=at.max_connections_per_peer)
    return Endpoint(at.bind_host, at.bind_port, tls, limits=limits)


def _tls_of(certificate: Path | None, key: Path | None) -> Tls | None:
    return Tls(str(certificate), str(key) if key else None) if certificate else None


def run_taskmanager(settings: Settings) -> None:
    """Until a signal."""
    from trove.metrics import Metrics  # noqa: PLC0415 - an entry point
    from trove.taskmanager.service import TaskManager  # noqa: PLC0415 - an entry point

    stopping = threading.Event()
    # First of all: a signal that comes while the rest is built must not be lost.
    for number in SIGNALS:
        signal.signal(number, lambda *_: stopping.set())
    settings = with_own_certificate(settings)
    provider = build_provider(settings)
    installation = build_service(settings, provider)
    metrics = Metrics()
    metrics_server = _serve_metrics(settings, metrics, installation)
    manager = TaskManager(installation, provider, observe=metrics.observe_step)
    manager.start()
    stopping.wait()
    # Before the wait below, which may take longer than the init system allows.
    _exit_soon()
    manager.stop()
    if metrics_server:
        metrics_server.stop()


def options_of(program: str, summary: str) -> ArgumentParser:
    """The options that every service has."""
    parser = ArgumentParser(
        prog=program,
        description=summary,
        epilog=EXAMPLE.format(program=program),
        formatter_class=RawDescriptionHelpFormatter,
        # An abbreviation in a unit file would mean something else, or nothing, with the next
        # option.
        allow_abbrev=False,
    )
    add_common(parser)
    return parser


def add_common(parser: ArgumentParser) -> None:
    """Where settings come from, and where the log goes."""
    add = parser.add_argument
    add("--config-file", action="append", default=[], metavar="FILE", help="may be repeated")
    add("--config-dir", action="append", default=[], metavar="DIR", help="reads its *.conf")
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


def prepare_from(args: Namespace, *, quiet: bool = False) -> Settings:
    """The settings that these arguments name, and the log configured; raises Invalid.

    `quiet` is for commands: only what is wrong goes to the terminal.
    """
    restrict_umask()
    loaded = read_settings(args.config_file, args.config_dir)
    settings = loaded.settings
    settings = replace(
        settings,
        # Options only add: without one, what the file says stands.
        debug=settings.debug or args.debug,
        use_syslog=settings.use_syslog or args.use_syslog,
        log_file=args.log_file or settings.log_file,
    )
    logs.configure(settings, config_append=args.log_config_append)
    if quiet and not settings.debug:
        logging.getLogger().setLevel(logging.WARNING)
    # Only now is there a log to write them to.
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return settings


def check_schema(url: str, *, patience: float = 0) -> None:
    """Raises Failed unless the metadata database is as this release needs it.

    Its server may take `patience` seconds to answer.
    """
    try:
        current = wait_until_available(url, partial(migrations.current, url), patience=patience)
    except SQLAlchemyError as error:
        raise Failed(f"the metadata database cannot be used: {first_line_of(error)}") from None
    if current != migrations.newest():
        raise Failed(
            f"the metadata database is at revision {current or 'none'}, this release needs "
            f"{migrations.newest()}: run `trove-manage db_sync`"
        )


def first_line_of(error: Exception) -> str:
    """SQLAlchemy adds statements and parameters below it, which are not for a terminal."""
    return str(error).splitlines()[0]


def _run(
    program: str, summary: str, work: Callable[[Settings], None], argv: Sequence[str] | None
) -> int:
    try:
        settings = prepare_from(options_of(program, summary).parse_args(argv))
        check_schema(settings.url, patience=PATIENCE)
        work(settings)
    except TroveError as error:
        print(f"{program}: {error.message}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _counting_together(workers: int) -> Iterator[None]:
    if workers == 1:
        yield
        return
    # New for every start: the files of dead processes would be counted forever.
    with tempfile.TemporaryDirectory(prefix="trove-metrics-") as directory:
        os.environ[MULTIPROCESS] = directory
        yield


def _serve_metrics(
    settings: Settings, metrics: Metrics, installation: Installation
) -> MetricsServer | None:
    """/metrics and /healthcheck, if the settings want them; raises Failed."""
    if settings.metrics_port is None:
        return None
    from trove.cli.services.metrics_server import MetricsServer  # noqa: PLC0415 - an entry point

    listener = Endpoint(settings.metrics_host, settings.metrics_port).listen()
    server = MetricsServer(listener, metrics, partial(_health_error, installation))
    server.start()
    return server


def _health_error(installation: Installation) -> str | None:
    try:
        with installation.database.session() as session:
            installation.clock.now(session)
    except SQLAlchemyError:
        return "The metadata database does not answer."
    return None


def _exit_soon() -> None:
    """Another process resumes a step that takes longer than that: do not wait for it."""
    timer = threading.Timer(END, os._exit, (0,))
    timer.daemon = True
    timer.start()
