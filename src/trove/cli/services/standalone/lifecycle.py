"""Start in the background, stop, look, remove.

Law: whether the service runs, and as which process, is known by the lock that it holds, and so for
its supervisor; to query a lock disturbs no process that acquires it, and the number in the file is
for people alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import urllib3
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from trove.cli.services import first_line_of
from trove.cli.services.handover import VARIABLES
from trove.cli.services.standalone.cloud import withdraw
from trove.cli.services.supervisor import RESTART
from trove.cli.services.wiring import api_authority, build_installation, build_provider
from trove.errors import Conflict, Failed
from trove.files import ensure_directory, private
from trove.locks import process_holding, process_lock
from trove.models import Instance
from trove.processes import Process
from trove.providers.base import Provider
from trove.providers.local.settings import directory_of
from trove.services import instances
from trove.services.installation import Caller, Installation
from trove.services.orphans import delete_holding, holdings_of
from trove.settings import Settings
from trove.taskmanager.service import TaskManager
from trove.workflows.context import scope_of

START_SECONDS = 75.0
STOP_SECONDS = 20.0
REMOVE_SECONDS = 300.0
KILLED_SECONDS = 5.0
LOOK_EVERY = 0.05


@contextmanager
def held_lock(settings: Settings) -> Iterator[None]:
    """Be the only process of this state directory; raises Conflict when there is another."""
    with _held(settings, lock_file(settings)):
        yield


@contextmanager
def supervising(settings: Settings) -> Iterator[IO[str]]:
    """Be the only supervisor of this state directory; raises Conflict when there is another."""
    with _held(settings, supervisor_file(settings)) as lock:
        yield lock


@contextmanager
def _held(settings: Settings, path: Path) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        with _usable(settings):
            # Other users may traverse it, for engines below run under users of their own, not list
            # it.
            ensure_directory(settings.state_directory)
            lock = _acquired(stack, settings, path)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def _acquired(stack: ExitStack, settings: Settings, path: Path) -> IO[str]:
    try:
        return stack.enter_context(process_lock(path))
    except BlockingIOError:
        _holder_of(settings, path)  # raises Conflict when it is not the service that holds it
        raise Conflict(
            f"A service runs in {settings.state_directory} already; see `trove-standalone status`."
        ) from None


def start_detached(settings: Settings, args: argparse.Namespace) -> int:
    """Start the service in a session of its own; 0 once it answers."""
    if running_pid(settings) is not None:
        return status(settings, args)
    if supervisor_pid(settings) is not None:
        _await(partial(_serves, settings), START_SECONDS, _silence(settings))
        return status(settings, args)
    output = log_file(settings)
    with _usable(settings):
        ensure_directory(settings.state_directory)
    with open(output, "ab", opener=private) as log:
        begin = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command_of(args),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C and the end of the terminal concern the command, not the service.
            start_new_session=True,
            # The current directory may be on a volume that is to be unmounted.
            cwd="/",
            # Of the command, if an init system has started it.
            env={k: v for k, v in os.environ.items() if k not in VARIABLES},
        )
    _await_answer(settings, process, partial(_tail, output, begin))
    return status(settings, args)


def command_of(args: argparse.Namespace) -> list[str]:
    """The command that starts the service with these arguments, in whatever directory."""
    # -P: a file in the current directory must not pass for a module.
    command = [sys.executable, "-P", "-m", "trove.cli.services.standalone", "start"]
    command += ["--bind-host", args.bind_host]
    files = [str(file.absolute()) for file in args.config_file]
    command += [word for file in files for word in ("--config-file", file)]
    return [*command, *(["--debug"] if args.debug else [])]


def status(settings: Settings, _: argparse.Namespace) -> int:
    """Say whether the service runs, and how to reach it; 0 if it does."""
    pid, supervisor = running_pid(settings), supervisor_pid(settings)
    if pid is None:
        print(f"trove-standalone is not running{_why_not(settings, supervisor)}.")
        return 1
    print(f"trove-standalone runs as process {pid}")
    print(f"  API        {api_url(settings)}")
    print(f"  identity   {api_url(settings)}/identity/v3")
    print(f"  state      {settings.state_directory}")
    if authority := api_authority(settings):
        print(f"  authority  {authority}")
    if supervisor is None and not _is_run_by_init(pid):
        print("  ports      free when it dies: no supervisor; `trove-standalone restart` adds one")
    return 0


def _why_not(settings: Settings, supervisor: int | None) -> str:
    if supervisor is not None:
        return (
            f" now: its supervisor, process {supervisor}, starts it again; see the log, in the "
            f"background {log_file(settings)}"
        )
    with suppress(OSError):
        if killed := supervisor_file(settings).read_text():
            return f": its supervisor, process {killed}, was killed"
    return ""


def restart(settings: Settings, args: argparse.Namespace) -> int:
    """Restart the service with its options while its ports stay bound; 0 once it answers."""
    before, supervisor = running_pid(settings), supervisor_pid(settings)
    if before is not None and supervisor is None and _is_run_by_init(before):
        raise Conflict(
            f"Process {before} is run by the init system: `systemctl restart trove-standalone`."
        )
    if supervisor is None:
        args.instances = False
        stop(settings, args)
        return start_detached(settings, args)
    _signal(settings, supervisor_file(settings), supervisor, RESTART)
    _await(
        lambda: running_pid(settings) != before and _serves(settings),
        STOP_SECONDS + START_SECONDS,
        _silence(settings),
    )
    return status(settings, args)


def stop(settings: Settings, args: argparse.Namespace) -> int:
    """Stop the service and free its ports; with `--instances`, stop the database servers too."""
    # First the supervisor, which would start the service again.
    files = (supervisor_file(settings), lock_file(settings))
    stopped = [_stop(settings, path) for path in files]
    print(f"trove-standalone {'has stopped' if any(stopped) else 'was not running'}.")
    if args.instances:
        _stop_instances(settings)
    return 0


def _stop(settings: Settings, path: Path) -> bool:
    pid = _holder_of(settings, path)
    if pid is None:
        return False
    _signal(settings, path, pid, signal.SIGTERM)
    _await(lambda: _holder_of(settings, path) != pid, STOP_SECONDS, f"process {pid} does not stop")
    return True


def _signal(settings: Settings, path: Path, pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            # Still the holder, now that its number cannot pass to another process.
            if _holder_of(settings, path) == pid:
                signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)


def remove(settings: Settings, args: argparse.Namespace) -> int:
    """Delete every instance, then the state directory."""
    state = settings.state_directory
    known = (state / "trove.sqlite", lock_file(settings), directory_of(settings))
    with _usable(settings):
        is_there = any(path.exists() for path in known)
    if not is_there:
        print(f"There is nothing to remove in {state}.")
        return 0
    if not args.yes and not _confirmed(state):
        return 1
    # They are deleted below, which stops them too.
    args.instances = False
    stop(settings, args)
    # So that no service is started over what is being deleted.
    with held_lock(settings):
        try:
            _delete_instances(settings)
        # A metadata database that is broken must not keep a user from getting rid of it all.
        except SQLAlchemyError as error:
            print(
                f"The metadata cannot be read ({first_line_of(error)}); deleting what is on disk."
            )
        _sweep(settings)
        withdraw(settings)
    # Last: what failed before leaves what is needed to run it again.
    _clear(state)
    print(f"Removed every instance and {state}.")
    return 0


def running_pid(settings: Settings) -> int | None:
    """The process of the service, if it runs; raises Conflict if another's holds its lock."""
    return _holder_of(settings, lock_file(settings))


def supervisor_pid(settings: Settings) -> int | None:
    """The process that holds the service's ports; raises Conflict as above."""
    return _holder_of(settings, supervisor_file(settings))


def await_end_of_killed(settings: Settings) -> None:
    """Wait for a service whose supervisor was killed, for it ends then, as far as that takes."""
    with suppress(Failed):
        _await(lambda: running_pid(settings) is None, KILLED_SECONDS, "")


def _holder_of(settings: Settings, path: Path) -> int | None:
    with _usable(settings):
        while (pid := process_holding(path)) is not None:
            # Any user could hold the lock of the first release's file, and so have a process of
            # their choice shown, or signalled by root.
            user = _user_of(pid)
            if user == path.stat().st_uid:
                return pid
            # Still, for the service may have ended between the two looks.
            if process_holding(path) == pid:
                raise Conflict(_foreign_holder(path, pid, user))
    return None


def _user_of(pid: int) -> int | None:
    """None when there is no such process, or the kernel does not name it."""
    try:
        return Process(pid).user() if pid else None
    except OSError:
        return None


def _foreign_holder(path: Path, pid: int, user: int | None) -> str:
    holder = (
        "a process that is not visible here" if user is None else f"process {pid} of user {user}"
    )
    return (
        f"The lock {path} is held by {holder}, which is not the service: end it, or delete the "
        "file, and start again."
    )


@contextmanager
def _usable(settings: Settings) -> Iterator[None]:
    """Around the first look into the state directory; raises Failed where that is another's."""
    try:
        yield
    except OSError as error:
        raise Failed(
            f"The state directory {settings.state_directory} cannot be used: {error.strerror}. "
            "Run this as its owner, or name another with TROVE_STATE_DIRECTORY."
        ) from None


def lock_file(settings: Settings) -> Path:
    return settings.state_directory / "standalone.lock"


def supervisor_file(settings: Settings) -> Path:
    return settings.state_directory / "supervisor.lock"


def log_file(settings: Settings) -> Path:
    """Of a service in the background."""
    return settings.state_directory / "standalone.log"


def api_url(settings: Settings) -> str:
    return settings.api.local_url


def _await_answer(
    settings: Settings, process: subprocess.Popen[bytes], output: Callable[[], str]
) -> None:
    """Raises Failed with the output of the service when it does not start."""

    def answers() -> bool:
        # Its log says why; to wait for the rest of the minute would show nothing more.
        if process.poll() is not None:
            raise Failed(f"the service ended at once:\n{output()}")
        # Its own lock too: on this port another service could answer.
        return supervisor_pid(settings) == process.pid and _serves(settings)

    _await(answers, START_SECONDS, _silence(settings))


def _silence(settings: Settings) -> str:
    return f"the service does not answer; see {log_file(settings)}"


def _serves(settings: Settings) -> bool:
    return running_pid(settings) is not None and _is_healthy(settings)


def _is_run_by_init(pid: int) -> bool:
    """Whether what started this process keeps its sockets."""
    with suppress(OSError):
        return any(word.startswith(b"NOTIFY_SOCKET=") for word in Process(pid).environment())
    return False


def _is_healthy(settings: Settings) -> bool:
    # No secret is sent, and a certificate of the operator's may not have this name.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False) as pool:
            answer = pool.request(
                "GET", f"{api_url(settings)}/healthcheck", timeout=2.0, retries=False
            )
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


def _await(condition: object, seconds: float, otherwise: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(otherwise)
        time.sleep(LOOK_EVERY)


def _tail(path: Path, begin: int, lines: int = 15) -> str:
    """The end of a log, but nothing of before this byte: it may be of another run."""
    text = path.read_bytes()[begin:].decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _clear(state: Path) -> None:
    """Delete a directory; a mount point is emptied, for it cannot be deleted."""
    if not state.is_mount():
        shutil.rmtree(state)
        return
    for path in state.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _confirmed(state: Path) -> bool:
    print(f"This deletes every database server and all data below {state}.")
    # A script has to say --yes: an empty input must not count as consent.
    if not sys.stdin.isatty():
        print(
            "Nothing was removed: there is no terminal to confirm it; add --yes.", file=sys.stderr
        )
        return False
    return input("Type 'yes' to go on: ").strip() == "yes"


def _stop_instances(settings: Settings) -> None:
    provider, installation = _environment(settings)
    rows = _instances(installation)
    for row in rows:
        provider.within(scope_of(row)).compute.stop_server(row.resource_name)
    print(f"Stopped {len(rows)} database servers; the next start brings them back.")


def _delete_instances(settings: Settings) -> None:
    provider, installation = _environment(settings)
    caller = Caller("", "trove-standalone", is_admin=True)
    for row in _instances(installation):
        instances.delete(installation, caller, row.id)
    # One of our own, for the service that would do it has been stopped.
    manager = TaskManager(installation, provider)
    manager.start()
    try:
        _await(
            lambda: not _instances(installation),
            REMOVE_SECONDS,
            "not every instance could be deleted; see the log, and run remove again",
        )
    finally:
        manager.stop()
        installation.database.dispose()


def _sweep(settings: Settings) -> None:
    """What the metadata does not list: they may be lost, or older than what runs."""
    provider = build_provider(settings)
    for holding in holdings_of(provider):
        delete_holding(provider, holding)


def _environment(settings: Settings) -> tuple[Provider, Installation]:
    provider = build_provider(settings)
    return provider, build_installation(settings, provider)


def _instances(installation: Installation) -> list[Instance]:
    with installation.database.session() as session:
        return list(session.scalars(select(Instance).where(Instance.deleted_at.is_(None))))
