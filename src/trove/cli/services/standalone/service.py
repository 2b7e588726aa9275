"""The process itself: two web servers on one loop, and a task manager on threads beside it."""

from __future__ import annotations

from functools import partial

from trove import logs
from trove.api.app import create_app
from trove.cli.services import api_endpoint, conductor_endpoint
from trove.cli.services.serving import Site, serve
from trove.cli.services.standalone.first_start import prepare
from trove.cli.services.standalone.lifecycle import held_lock
from trove.cli.services.wiring import build_installation, build_provider, ensure_own_certificate
from trove.conductor import create_app as create_conductor
from trove.db import wait_until_available
from trove.metrics import Metrics
from trove.services.installation import Installation
from trove.settings import Settings
from trove.taskmanager.service import TaskManager


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT."""
    logs.configure(settings)
    api, conductor = api_endpoint(settings), conductor_endpoint(settings)
    # Lock and ports before anything is made: a second start, or a port that is taken, leaves no
    # trace.
    with held_lock(settings), api.listen() as for_tenants, conductor.listen() as for_agents:
        provider = build_provider(settings)
        installation = build_installation(settings, provider)
        # Before requests are served, which need the tables.
        wait_until_available(settings.url, partial(prepare, installation))
        ensure_own_certificate(settings)
        # One for all: they share the process, and any /metrics shows all its counters.
        metrics = Metrics()
        agents = create_conductor(installation, metrics)
        manager = TaskManager(installation, provider, observe=metrics.observe_step)
        _work(
            manager,
            installation,
            Site(api, create_app(installation, metrics=metrics), for_tenants),
            Site(conductor, agents, for_agents, agents.state.release),
        )
    return 0


def _work(manager: TaskManager, installation: Installation, *sites: Site) -> None:
    installation.database.notifications.start(alone=True)
    manager.start()
    try:
        serve(*sites)
    finally:
        manager.stop()
        installation.database.dispose()
