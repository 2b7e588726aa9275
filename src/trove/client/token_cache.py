"""Remembers tokens between two commands, for a sign-in costs more than most requests.

Files of 0600 in a directory of 0700; their names are keyed hashes, so that neither name nor
content tells a password.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trove.client.cloud import FIELDS, Cloud
from trove.client.identity import Ticket, as_dict
from trove.files import write_private

MARGIN = timedelta(seconds=60)
"""A token that ends sooner is not used any more."""


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Where this user's files that can be made anew are."""
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "trove"


class TokenCache:
    """The tokens of one user of this machine; does nothing where it can not write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> TokenCache:
        return cls(cache_directory(environ))

    def find(self, cloud: Cloud, now: datetime | None = None) -> Ticket | None:
        """The ticket for this cloud and user, if one is good for a while yet."""
        try:
            ticket = Ticket(**json.loads(self._file_of(cloud).read_text()))
            ends = datetime.fromisoformat(ticket.expires_at)
            # Without a zone it is UTC, as Keystone's rules have it.
            ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        # TypeError: a file of another release, whose tickets have other fields.
        except (OSError, ValueError, TypeError):
            return None
        return ticket if ends - MARGIN > (now or datetime.now(UTC)) else None

    def keep(self, cloud: Cloud, ticket: Ticket) -> None:
        with contextlib.suppress(OSError):
            self._write(self._file_of(cloud), json.dumps(as_dict(ticket)).encode())

    def forget(self, cloud: Cloud) -> None:
        with contextlib.suppress(OSError):
            self._file_of(cloud).unlink()

    def _file_of(self, cloud: Cloud) -> Path:
        # All fields, the password too: who signs in with a wrong one must not be served by the
        # right one's token.
        identity = json.dumps([getattr(cloud, name) for name in FIELDS]).encode()
        # Keyed, for a plain hash would let anybody who sees the name try passwords on it.
        name = hmac.new(self._key(), identity, hashlib.sha256).hexdigest()
        return self.directory / f"token-{name}.json"

    def _key(self) -> bytes:
        place = self.directory / "key"
        if not place.exists():
            self._write(place, os.urandom(32))
        # Read again: of two commands that make one at once, the later one's stays.
        return place.read_bytes()

    def _write(self, path: Path, content: bytes) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not durable: a lost token costs one sign-in, an fsync each of them.
        write_private(path, content, durable=False)
