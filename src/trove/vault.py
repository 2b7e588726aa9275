"""Seals what must not lie readable in the metadata database: passwords that are on their way.

Law: a sealed value is opened by the process that uses it, never logged, never shown.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from trove.errors import Failed
from trove.files import ensure_private


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
    return Vault(ensure_private(path, Fernet.generate_key).strip())
