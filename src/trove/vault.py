"""Seals what must not lie readable in the metadata database: passwords that are on their way.

Law: a sealed value is opened by the process that uses it, never logged, never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from trove.errors import Failed


class Vault:
    """Authenticated encryption (Fernet) with the installation's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fernet = Fernet(key)

    def derive(self, label: str) -> str:
        """A secret of 256 bits, in hex, that is always the same for this label and key."""
        # Derived, not stored: every process of the installation has it without another file or row.
        return hmac.new(self._key, label.encode(), hashlib.sha256).hexdigest()

    def seal(self, value: Any) -> str:
        """Any JSON-able value as one opaque string."""
        return self._fernet.encrypt(msgspec.json.encode(value)).decode()

    def open(self, sealed: str) -> Any:
        """The value again; raises Failed when it was sealed with another key."""
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise Failed(
                "a stored secret was sealed with another key; "
                "check that every service has the same [secrets] key_file"
            ) from None


def load_vault(path: Path) -> Vault:
    """The vault whose key lies in this file (mode 0600), which is made if it is not there."""
    try:
        # Read first: all starts but the very first find it there.
        return Vault(path.read_bytes().strip())
    except FileNotFoundError:
        return Vault(_new_key(path))


def _new_key(path: Path) -> bytes:
    """Several processes may try at once: the first link wins, all read the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same directory, for a link does not cross file systems; tempfile makes it 0600.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as mine:
        mine.write(Fernet.generate_key())
        mine.flush()
        # Before it is seen: a key that a power cut took away takes every sealed secret with it.
        os.fsync(mine.fileno())
        with suppress(FileExistsError):
            os.link(mine.name, path)
    # Not what was made here, but whosever link was first.
    return path.read_bytes().strip()
