"""Keeps tokens between commands, because a sign-in costs more than most requests.

Files of mode 0600 in a directory of 0700; their names are keyed hashes, so that neither name nor
content reveals a password.
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
from trove.files import PRIVATE, ensure_directory, write_private

MARGIN = timedelta(seconds=60)
"""A token that expires sooner is not used."""


def cache_directory(environ: Mapping[str, str]) -> Path:
    """The directory for files of this user that can be recreated."""
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "trove"


class TokenCache:
    """The tokens of one user of this machine; does nothing where it cannot write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> TokenCache:
        return cls(cache_directory(environ))

    def find(self, cloud: Cloud, now: datetime | None = None) -> Ticket | None:
        """The ticket for this cloud and user, unless it expires soon."""
        try:
            ticket = Ticket(**json.loads(self._file_of(cloud).read_text()))
            ends = datetime.fromisoformat(ticket.expires_at)
            # A time without a zone is UTC in Keystone.
            ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        # TypeError: another release wrote the file, with other fields.
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
        # All fields, the password too: a wrong password must not find the token of the right one.
        identity = json.dumps([getattr(cloud, name) for name in FIELDS]).encode()
        # Keyed: with a plain hash, the name alone would allow guessing the password.
        name = hmac.new(self._key(), identity, hashlib.sha256).hexdigest()
        return self.directory / f"token-{name}.json"

    def _key(self) -> bytes:
        place = self.directory / "key"
        if not place.exists():
            self._write(place, os.urandom(32))
        # Read again: when two commands write one at once, the later one stays.
        return place.read_bytes()

    def _write(self, path: Path, content: bytes) -> None:
        ensure_directory(self.directory, PRIVATE)
        # Not durable: a lost token costs one sign-in, an fsync each of them.
        write_private(path, content, durable=False)
