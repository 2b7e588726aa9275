"""A user and group number for each server, which no one else on this machine has."""

from __future__ import annotations

import contextlib
import grp
import pwd
from pathlib import Path

from trove.errors import Failed
from trove.processes import PROC, all_processes
from trove.providers.local.layout import Layout
from trove.providers.local.reservations import Reservations

MOST = 65_536
SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))


class Identities:
    """Numbers counted from `first_uid`."""

    def __init__(
        self, layout: Layout, first_uid: int, subordinate: tuple[Path, ...] = SUBORDINATE
    ) -> None:
        self._first = first_uid
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
        given_away = [r for path in self._subordinate for r in _ranges(path)]
        at_work = _users_at_work()
        for number in range(self._first, self._first + MOST):
            foreign = number in at_work or any(number in numbers for numbers in given_away)
            if foreign or has_account(number):
                continue
            # Of two processes the slower one continues with the next.
            if self._taken.take(str(number), name):
                return number
        raise Failed(f"All of the {MOST} user ids from {self._first} on are taken.")


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
        lines = path.read_text().splitlines()
    except OSError:
        return []
    fields = [line.split(":") for line in lines if line.count(":") == 2]
    return [range(int(f[1]), int(f[1]) + int(f[2])) for f in fields]
