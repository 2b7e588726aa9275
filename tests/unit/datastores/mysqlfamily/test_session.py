"""The connection through a socket that the client library has not opened itself."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest
from pymysql import _auth
from pymysql.constants import ER

from trove.datastores import datastores
from trove.datastores.mysqlfamily.session import LocalConnection, quoted, translated, unless
from trove.errors import Failed, NotFound, Unavailable


class Packet:
    """The answer `4` of caching_sha2_password: full authentication is needed."""

    def is_auth_switch_request(self) -> bool:
        return False

    def is_extra_auth_data(self) -> bool:
        return True

    def advance(self, count: int) -> None: ...

    def read_uint8(self) -> int:
        return 4


def test_the_password_is_sent_as_it_is_and_no_rsa_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library reads a private field of its own; this shows that it still does."""
    sent: list[bytes] = []

    def record(_: object, data: bytes) -> None:
        sent.append(data)

    monkeypatch.setattr(_auth, "_roundtrip", record)
    link: Any = LocalConnection(password="secret", defer_connect=True)
    _auth.caching_sha2_password_auth(link, Packet())
    assert sent == [b"secret\0"]
    plain: Any = pymysql.Connection(password="secret", defer_connect=True)
    sent.clear()
    with pytest.raises(AttributeError):
        _auth.caching_sha2_password_auth(plain, Packet())
    assert sent == [b"\x02"], "elsewhere the public key is requested first"


def test_it_is_no_datastore() -> None:
    assert "mysqlfamily" not in datastores()


def test_errors_of_the_engine() -> None:
    for error, kind in (
        (pymysql.OperationalError(ER.DB_DROP_EXISTS, "no"), NotFound),
        (pymysql.OperationalError(ER.LOCK_WAIT_TIMEOUT, "no"), Unavailable),
        (pymysql.Error(), Failed),
        (ConnectionRefusedError("no"), Unavailable),
    ):
        with pytest.raises(kind, match="Title|in use"), translated("Title"):
            raise error


def test_one_error_is_ignored() -> None:
    with unless(ER.NONEXISTING_GRANT):
        raise pymysql.OperationalError(ER.NONEXISTING_GRANT, "no")
    with pytest.raises(pymysql.Error), unless(ER.NONEXISTING_GRANT):
        raise pymysql.OperationalError(ER.DB_DROP_EXISTS, "no")
    assert quoted("a`b") == "`a``b`"
