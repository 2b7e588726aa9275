"""A user and group number for each server, which no one else on this machine has."""

from __future__ import annotations

import contextlib
import grp
import pwd
import re
from collections.abc import Iterable
from pathlib import Path

from trove.errors import Failed
from trove.files import ensure_private
from trove.processes import PROC, all_processes
from trove.providers.local.layout import Layout
from trove.providers.local.reservations import Reservations

MOST = 65_536
USUAL = 210_000
"""Where numbers begin on a machine whose users have no subordinate ids there."""
BEYOND = 2**31
"""No number reaches it: some file systems and programs take user ids for signed numbers."""
SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))


class Identities:
    """Numbers counted from `first_uid`; without one, from where this machine has enough of them."""

    def __init__(
        self, layout: Layout, first_uid: int | None, subordinate: tuple[Path, ...] = SUBORDINATE
    ) -> None:
        self._configured = first_uid
        self._chosen = layout.first_uid
        self._taken = Reservations(layout.uids)
        self._subordinate = subordinate

    def ensure(self, name: str) -> int:
        """The number of this server; the caller holds the server's lock."""
        found = self.of(name)
        return found if found is not None else self._reserve(name)

    def of(self, name: str) -> int | None:
        found = self._taken.of(name)
        return int(found) if found is not None else None

    def release(self, name: str) -> None:
        self._taken.release(name)

    def _reserve(self, name: str) -> int:
        # A user with subordinate ids can become them in a namespace, and reach a server's files.
        given_away = self._given_away()
        first, at_work = self._first(given_away), _users_at_work()
        for number in range(first, first + MOST):
            foreign = number in at_work or any(number in numbers for numbers in given_away)
            if foreign or has_account(number):
                continue
            # Of two processes the slower one continues with the next.
            if self._taken.take(str(number), name):
                return number
        raise Failed(
            f"All of the {MOST} user ids from {first} on are taken"
            f"{self._reason(first, given_away)}:"
            " set [local] first_uid to where this machine has free ones."
        )

    def _given_away(self) -> list[range]:
        return [found for path in self._subordinate for found in _ranges(path)]

    def _first(self, given_away: Iterable[range]) -> int:
        if self._configured is not None:
            return self._configured
        # Remembered, or numbers would begin elsewhere whenever a user is added to the machine.
        return int(ensure_private(self._chosen, lambda: str(first_free(given_away)).encode()))

    def _reason(self, first: int, given_away: Iterable[range]) -> str:
        ours = range(first, first + MOST)
        if not any(_overlap(ours, each) for each in given_away):
            return ""
        files = " and ".join(map(str, self._subordinate))
        return f"; {files} give ids of this range to users for their containers"


def first_free(given_away: Iterable[range]) -> int:
    """Where MOST numbers in a row are no one's subordinate ids; raises Failed."""
    ends = sorted({found.stop for found in given_away})
    # Above all of them rather than in a gap, into which the next user's range would be put.
    for first in (USUAL, *ends[-1:], *ends):
        ours = range(first, first + MOST)
        in_bounds = first >= USUAL and ours.stop <= BEYOND
        if in_bounds and not any(_overlap(ours, each) for each in given_away):
            return first
    raise Failed(
        f"The subordinate ids of this machine's users leave no {MOST} user ids in a row between "
        f"{USUAL} and {BEYOND}: set [local] first_uid."
    )


def _overlap(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def has_account(number: int) -> bool:
    """Whether the number is a user's or group's of this machine."""
    # Through NSS, not /etc/passwd: accounts of a directory service count.
    for look_up in (pwd.getpwuid, grp.getgrgid):
        try:
            look_up(number)
        except KeyError:
            continue
        return True
    return False


def _users_at_work(proc: Path = PROC) -> set[int]:
    """Whose processes run: among them those of another installation on this machine."""
    found = set()
    for process in all_processes(proc):
        with contextlib.suppress(OSError):
            found.add(process.user())
    return found


def _ranges(path: Path) -> list[range]:
    """From lines such as `alice:100000:65536`: numbers that users may give to their containers."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return []
    # subuid(5) knows no comments, but machines have lines of every kind.
    lines = re.findall(r"^[^:#\n]*:(\d{1,10}):(\d{1,10})[ \t]*$", text, re.MULTILINE | re.ASCII)
    return [range(int(start), int(start) + int(count)) for start, count in lines]
