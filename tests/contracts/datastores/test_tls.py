"""Nobody comes in without TLS, and certificates change while the engine runs."""

from __future__ import annotations

import pytest

from tests.support.authority import Authority
from tests.support.engines import Engine, Refused, module_of
from tests.support.tenants import HARD_PASSWORD, database, user
from trove.datastores.process import wait_until

pytestmark = pytest.mark.engine


def test_tls_only_and_verified(shared: Engine) -> None:
    shared.parts.databases.create([database("tls_db")])
    shared.parts.users.create([user("tls_user", "tls_db", password=HARD_PASSWORD)])
    who = {"user": "tls_user", "database": "tls_db"}
    assert shared.query("SELECT 1", password=HARD_PASSWORD, **who) == [(1,)]
    with pytest.raises(Refused):
        shared.query("SELECT 1", password=HARD_PASSWORD, tls=False, **who)
    with pytest.raises(Refused):
        shared.query("SELECT 1", password="wrong", **who)
    with pytest.raises(Refused):
        shared.query("SELECT 1", password="", **who)
    stranger, known = Authority().pem(), shared.spec.authority.read_text()
    shared.spec.authority.write_text(stranger)
    try:
        with pytest.raises(Refused, match="(?i)certificate verify failed"):
            shared.query("SELECT 1", password=HARD_PASSWORD, **who)
    finally:
        shared.spec.authority.write_text(known)


def test_old_tls_is_refused(shared: Engine) -> None:
    text = {
        "postgresql": "SHOW ssl_min_protocol_version",
        "mariadb": "SELECT @@tls_version",
    }[shared.manager]
    session = module_of(shared.manager, "session")
    with session.session(shared.spec) as link:
        assert session.query(link, text) in ([("TLSv1.2",)], [("TLSv1.2,TLSv1.3",)])


def test_a_new_certificate_is_taken_up(idle: Engine) -> None:
    idle.driver.start()
    idle.parts.databases.create([database("renewed")])
    idle.parts.users.create([user("renewed", "renewed")])
    Authority().equip(idle.spec)  # another authority: its certificate file is the new one
    idle.parts.tls.reload()

    def trusted() -> bool:
        try:
            idle.query("SELECT 1", user="renewed", password="secret", database="renewed")
        except Refused:
            return False
        return True

    assert wait_until(trusted, 10)
    idle.driver.stop()
    idle.parts.tls.reload()


def test_the_administrator_comes_through_the_socket_alone(shared: Engine) -> None:
    secret = (shared.spec.config / "os_admin.secret").read_text()
    with pytest.raises(Refused):
        shared.query("SELECT 1", user="os_admin", password=secret)
