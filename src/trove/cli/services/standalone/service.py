"""The process itself: two web servers on one loop, and a task manager on threads beside it.

Unless an init system keeps its sockets, the process that was started becomes their supervisor, and
a child of it the service.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from trove import logs
from trove.api.app import create_app
from trove.cli.services import api_endpoint, conductor_endpoint, supervisor
from trove.cli.services.handover import Handover, take_over
from trove.cli.services.serving import Site, serve
from trove.cli.services.standalone.first_start import prepare
from trove.cli.services.standalone.lifecycle import (
    await_end_of_killed,
    held_lock,
    supervising,
)
from trove.cli.services.supervisor import HANDLED
from trove.cli.services.wiring import (
    build_installation,
    build_provider,
    ensure_api_certificate,
    ensure_own_certificate,
)
from trove.conductor import create_app as create_conductor
from trove.db import wait_until_available
from trove.metrics import Metrics
from trove.services.installation import Installation
from trove.settings import Settings
from trove.taskmanager.service import TaskManager


def run(settings: Settings, command: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; with this command a supervisor starts it again."""
    handover = take_over(os.environ)
    if not handover.is_supervised:
        handover = _with_supervisor(settings, command)
        await_end_of_killed(settings)
    logs.configure(settings)
    api, conductor = api_endpoint(settings), conductor_endpoint(settings)
    with (
        # Lock and ports before anything is made: a second start, or a port that is taken, leaves
        # no trace.
        held_lock(settings),
        handover.listener("api", api) as for_tenants,
        handover.listener("conductor", conductor) as for_agents,
    ):
        handover.close()
        handover.end_with_supervisor()
        provider = build_provider(settings)
        installation = build_installation(settings, provider)
        # Before requests are served, which need the tables.
        wait_until_available(settings.url, partial(prepare, installation))
        ensure_own_certificate(settings)
        ensure_api_certificate(settings)
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


def _with_supervisor(settings: Settings, command: Sequence[str]) -> Handover:
    """Returns in a child of this process, which itself becomes the supervisor; raises Conflict.

    A fork, for the imports that the service needs take longer than anything else of its start.
    """
    with supervising(settings) as lock:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # What comes meanwhile waits for the supervisor.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        if child := os.fork():
            _become_supervisor(child, ours, lock.fileno(), command)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    ours.close()
    return Handover(keeper=theirs, is_supervised=True)


def _become_supervisor(
    child: int, control: socket.socket, lock: int, command: Sequence[str]
) -> NoReturn:
    for descriptor in (control.fileno(), lock):
        os.set_inheritable(descriptor, True)
    numbers = map(str, (child, control.fileno(), lock))
    # Without packages, to be small; and this process keeps its number, and with it the lock.
    os.execv(  # noqa: S606 - our own interpreter, without a shell
        sys.executable, [sys.executable, "-IS", supervisor.__file__, *numbers, *command]
    )


def _work(manager: TaskManager, installation: Installation, *sites: Site) -> None:
    installation.database.notifications.start(alone=True)
    manager.start()
    try:
        serve(*sites)
    finally:
        manager.stop()
        installation.database.dispose()
