"""The tasks on the engine as a whole; those on its accounts are in `accounts.py`."""

from __future__ import annotations

from trove import __version__
from trove.datastores.parts import Part
from trove.guestagent.accounts import ensure_databases, ensure_users
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import handles
from trove.guestagent.tls import Request
from trove.processes import own_status
from trove.protocol.tasks import (
    Diagnose,
    Diagnosis,
    Nothing,
    Prepare,
    Prepared,
    Resize,
    Restart,
    Start,
    Stop,
)


@handles(Prepare)
def prepare(guest: Guest, task: Prepare, attempt: Attempt) -> Prepared:
    if task.memory and task.vcpus:
        guest.engine.set_size(task.memory, task.vcpus)
    attempt.report(0.1, "making the data directory")
    if guest.parts.datastore.has(Part.TLS):
        _install_with_certificate(guest, attempt)
    else:
        guest.engine.prepare()
    attempt.report(0.7, "starting the engine")
    guest.engine.bring_up()
    attempt.report(0.9, "creating databases and users")
    _fill(guest, task)
    return Prepared(guest.accounts_now(), guest.engine.version)


@handles(Restart)
def restart(guest: Guest, task: Restart, attempt: Attempt) -> Nothing:
    guest.engine.restart()
    return Nothing()


@handles(Stop)
def stop(guest: Guest, task: Stop, attempt: Attempt) -> Nothing:
    guest.engine.halt()
    return Nothing()


@handles(Start)
def start(guest: Guest, task: Start, attempt: Attempt) -> Nothing:
    guest.engine.bring_up()
    return Nothing()


@handles(Resize)
def resize(guest: Guest, task: Resize, attempt: Attempt) -> Nothing:
    guest.engine.resize(task.memory, task.vcpus)
    return Nothing()


@handles(Diagnose)
def diagnose(guest: Guest, task: Diagnose, attempt: Attempt) -> Diagnosis:
    spec = guest.directory.spec
    hwinfo = {"mem_total": spec.memory * 1024, "num_cpus": spec.vcpus}
    return Diagnosis(hwinfo, diagnostics())


def diagnostics() -> dict[str, str | int]:
    """The agent's own process; sizes in kB."""
    status = own_status()
    names = {
        "threads": "Threads",
        "fdSize": "FDSize",
        "vmSize": "VmSize",
        "vmPeak": "VmPeak",
        "vmRss": "VmRSS",
        "vmHwm": "VmHWM",
    }
    found = {ours: int(status[its].split()[0]) for ours, its in names.items()}
    return {"version": __version__} | found


def _install_with_certificate(guest: Guest, attempt: Attempt) -> None:
    # The key is made by a process of its own meanwhile.
    with Request(guest.directory.spec) as request:
        guest.engine.prepare()
        attempt.report(0.6, "getting a certificate")
        guest.install_certificate(request)


def _fill(guest: Guest, task: Prepare) -> None:
    if task.databases:
        ensure_databases(guest.parts, task.databases)
    if task.users:
        ensure_users(guest.parts, task.users)
    if task.root_password:
        guest.parts.root.enable(task.root_password)
