"""What every command uses: the session, the output, the terminal and the waiting."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from trove.cli.trove.output import Columns, Item, Output
from trove.cli.trove.progress import ProgressLine
from trove.client.errors import ClientError, HttpError, OperationFailed
from trove.client.find import find_id
from trove.client.operations import Progress, Started, Watcher, poll_started, poll_status
from trove.client.projects import find_project
from trove.client.session import Session
from trove.client.wire import Json


@dataclass(frozen=True)
class Subject:
    """The instance that an operation works on."""

    id: str
    is_created: bool = False
    is_deleted: bool = False

    @property
    def path(self) -> str:
        return f"/instances/{self.id}"


class Context:
    """Built once in `main` and passed to the command; the session opens when it is first used."""

    def __init__(
        self, output: Output, arguments: Namespace, open_session: Callable[[], Session]
    ) -> None:
        self.output = output
        self.arguments = arguments
        self._open_session = open_session
        self._opened: Session | None = None
        self.followed = ""
        """The id of the instance of the last operation."""
        self._watches = False

    @property
    def session(self) -> Session:
        if self._opened is None:
            self._opened = self._open_session()
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def find(self, collection: str, wanted: str) -> str:
        """An id from a name or an id."""
        if collection == "projects":
            return find_project(self.session, wanted)
        return find_id(self.session, collection, wanted)

    def show_list(self, items: Sequence[Item], columns: Columns) -> None:
        self.output.show_list(items, columns)

    def show_one(self, item: Item, flat: Item | None = None) -> None:
        self.output.show_one(item, flat)

    def print(self, text: str) -> None:
        print(text, file=self.output.stream)

    def say(self, text: str) -> None:
        """Inform the user, on standard error."""
        # On one terminal, both streams must keep their order.
        self.output.stream.flush()
        print(text, file=sys.stderr)

    def secret(self, given: str | None, prompt: str) -> str:
        """A password: as given, or read without an echo when it is `-` or missing."""
        # Every user of the machine can read a password on the command line; scripts of the older
        # command have it there, and `-` avoids it.
        if given not in (None, "-"):
            return str(given)
        secret = read_secret(prompt, sys.stdin)
        if not secret:
            raise ClientError(f"{prompt}: nothing was entered.")
        return secret

    @property
    def waits(self) -> bool:
        return bool(getattr(self.arguments, "wait", False))

    @property
    def has_started(self) -> bool:
        """Whether something may continue after the command."""
        return self._watches or (self._opened is not None and self._opened.has_changed)

    def follow(self, subject: Subject, operation_id: str = "") -> None:
        """After a request that may start an operation: wait, or print how to follow it."""
        self.followed = subject.id
        session = self.session
        # No other: another request may have started an operation on the instance meanwhile.
        started = Started(
            subject.id,
            session.request_id,
            operation_id or session.operation_id,
            is_replayed=session.is_replayed,
        )
        if not self.waits:
            self.say(_accepted(started))
            return
        by_status = poll_status(session, subject.path, "instance", deleting=subject.is_deleted)
        self.watch(poll_started(session, started, by_status), subject)

    def watch(
        self, poll: Callable[[], Progress], subject: Subject, wanted: str = "succeeded"
    ) -> None:
        """Show the progress of an operation until it ends; raises OperationFailed, TimedOut."""
        self._watches = True
        line = ProgressLine(sys.stderr)
        try:
            Watcher(self.session, line.show, timeout=self.arguments.timeout).watch(poll, wanted)
        except OperationFailed as error:
            # The advice depends on what was being done, which is known here.
            raise OperationFailed(f"{error.message}\n{advice_of(subject)}") from None
        finally:
            # After an error or an interruption too: a message must start on a new line.
            line.finish()

    def fetch(self, subject: Subject) -> Json | None:
        """The instance as it is now; None when it is gone."""
        try:
            instance: Json = self.session.get(subject.path)["instance"]
        except HttpError as error:
            if error.code != 404:
                raise
            return None
        return instance


def _accepted(started: Started) -> str:
    if started.operation_id:
        return f"Accepted; follow it with `trove operation-watch {started.operation_id}`."
    return f"Accepted; `trove show {started.subject_id}` shows the instance."


def advice_of(subject: Subject) -> str:
    """What to do next when an operation has failed."""
    state = f"See `trove show {subject.id}` for the state that it left"
    delete = f"`trove delete {subject.id}`"
    if subject.is_created:
        return f"{state}; {delete} removes every trace."
    if subject.is_deleted:
        return f"{state}; {delete} tries it again."
    return f"{state}; remove the cause that it names, then repeat the command."


def read_secret(prompt: str, stream: TextIO) -> str:
    """From a prompt on a terminal; otherwise the first line of the input."""
    if stream.isatty():
        return getpass.getpass(f"{prompt}: ")
    return stream.readline().rstrip("\r\n")
