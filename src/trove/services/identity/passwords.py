"""Argon2id hashes of passwords and of the secrets of application credentials.

The parameters are OWASP's choice for little memory (7 MiB, 5 rounds), and only a few hashes are
computed at a time: a flood of logins must not take the memory of the service.
"""

from __future__ import annotations

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 4

_hasher = PasswordHasher(time_cost=5, memory_cost=7 * 1024, parallelism=1)
_turns = threading.BoundedSemaphore(AT_ONCE)


def hash_of(secret: str) -> str:
    """The hash to keep, salt and parameters in it."""
    with _turns:
        return _hasher.hash(secret)


def is_right(secret: str, kept: str | None) -> bool:
    """Whether the secret fits the hash; None (no such user) takes as long as any other."""
    against = kept or _hash_of_no_user()
    with _turns:
        try:
            return _hasher.verify(against, secret) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _hash_of_no_user() -> str:
    return _hasher.hash(secrets.token_urlsafe())


_hash_of_no_user()
