"""Which versions of TLS, and what the administrator may not do over the network."""

from __future__ import annotations

import pytest

from tests.support.engines import module_of, query, rows_of, sql
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_old_tls_is_refused(shared: Engine) -> None:
    text, answer = sql(shared).tls_versions
    session = module_of(shared.manager, "session")
    with session.session(shared.spec) as link:
        assert rows_of(link, text) == [(answer,)]


def test_the_administrator_connects_through_the_socket_alone(shared: Engine) -> None:
    secret = (shared.spec.config / "os_admin.secret").read_text()
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user="os_admin", password=secret)
