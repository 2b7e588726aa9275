"""The agent's side of the wire, against real conductors and against nonsense."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import slot
from tests.support.agents import Conductor, add_instance, agent_row, conductor_in, invite
from trove.errors import (
    Failed,
    Invalid,
    NotSupported,
    TroveError,
    Unauthenticated,
    Unavailable,
)
from trove.guestagent.link import Link, pause_after
from trove.guestagent.state import AgentDirectory
from trove.guestagent.tls import Request
from trove.protocol import Report, SyncRequest
from trove.services.authority import load_authority

CREDENTIAL = "c" * 43
IDLE = SyncRequest(Report(), hold=0)


@pytest.fixture
def conductor(tmp_path: Path) -> Iterator[Conductor]:
    with conductor_in(tmp_path, slot.address(72, 3)) as running:
        yield running


def test_the_calls(conductor: Conductor, agent_directory: AgentDirectory) -> None:
    instance = add_instance(conductor.installation)
    link = Link(conductor.url + "/")
    with pytest.raises(Unauthenticated, match="credential is not known"):
        link.sync(CREDENTIAL, IDLE)
    answer = link.enrol(invite(conductor.installation, instance), CREDENTIAL)
    assert answer.instance_id == instance
    assert link.sync(CREDENTIAL, IDLE).tasks == []
    assert agent_row(conductor.installation, instance).reported_at
    with Request(agent_directory.spec) as request:
        signed = link.certificate(CREDENTIAL, request.csr())
    assert signed.authority == load_authority(conductor.installation.settings.authority).pem
    assert signed.renew_seconds > 86400
    with pytest.raises(Invalid):
        link.certificate(CREDENTIAL, "?")
    with pytest.raises(NotSupported):
        link.sync(CREDENTIAL, SyncRequest(Report(), protocol=0))
    link.close()
    link.close()


def test_a_restarted_conductor_is_found_again(conductor: Conductor) -> None:
    link = Link(conductor.url)
    instance = add_instance(conductor.installation)
    link.enrol(invite(conductor.installation, instance), CREDENTIAL)
    conductor.stop()
    with pytest.raises(Unavailable, match="does not answer"):
        link.sync(CREDENTIAL, IDLE)
    conductor.start()
    link.sync(CREDENTIAL, IDLE)
    conductor.stop()
    conductor.start()
    link.sync(CREDENTIAL, IDLE)
    link.close()


def test_over_https_the_conductor_is_checked(
    tmp_path: Path, agent_directory: AgentDirectory
) -> None:
    authority = load_authority(tmp_path / "ca")
    with Request(agent_directory.spec) as request:
        signed = authority.sign(
            request.csr(), "conductor", slot.address(72, 4), now=datetime.now(UTC)
        )
        (agent_directory.spec.config / "conductor.crt").write_text(signed)
        (agent_directory.spec.config / ".server.key.new").rename(
            agent_directory.spec.config / "conductor.key"
        )
    with conductor_in(
        tmp_path,
        slot.address(72, 4),
        tls_certificate=agent_directory.spec.config / "conductor.crt",
        tls_private_key=agent_directory.spec.config / "conductor.key",
    ) as conductor:
        assert conductor.url.startswith("https://")
        token = invite(conductor.installation, add_instance(conductor.installation))
        with pytest.raises(Unavailable, match="certificate verify failed"):
            Link(conductor.url).enrol(token, CREDENTIAL)
        link = Link(conductor.url, authority.pem)
        assert link.enrol(token, CREDENTIAL).credential == CREDENTIAL
        link.close()


def test_an_impostor_at_the_conductors_address_learns_nothing(tmp_path: Path) -> None:
    """Anybody on the machine may listen there while the conductor does not run."""
    ours, theirs = load_authority(tmp_path / "ca"), load_authority(tmp_path / "impostor")
    for authority, expected in ((theirs, pytest.raises(Unavailable)), (ours, nullcontext())):
        certificate = tmp_path / "conductor.pem"
        authority.ensure_listener_certificate(
            certificate, slot.address(72, 4), now=datetime.now(UTC)
        )
        with conductor_in(tmp_path, slot.address(72, 4), tls_certificate=certificate) as conductor:
            token = invite(conductor.installation, add_instance(conductor.installation))
            with expected, closing(Link(conductor.url, ours.pem, only_authority=True)) as link:
                link.enrol(token, CREDENTIAL + str(authority is ours))


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server that gives each connection one of these answers; its URL."""
    with socket.create_server((slot.address(72, 5), 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://{slot.address(72, 5)}:{server.getsockname()[1]}"
        thread.join(10)


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (http(200, b"<html>"), Unavailable, "cannot be decoded"),
        (http(502, b"<html>"), Unavailable, "HTTP 502"),
        (http(503, b'{"error": ""}'), Unavailable, "HTTP 503"),
        (http(413, b'{"error": "much"}'), Failed, "much"),
        (b"nonsense\r\n\r\n", Unavailable, "does not answer"),
        (b"", Unavailable, "does not answer"),
    ],
)
def test_nonsense_is_tried_again_later(
    answer: bytes, expected: type[TroveError], words: str
) -> None:
    with (
        answering(answer) as url,
        closing(Link(url)) as link,
        pytest.raises(expected, match=words),
    ):
        link.sync(CREDENTIAL, IDLE)


def test_a_connection_that_was_closed_while_idle_costs_no_failure() -> None:
    with answering(http(200, b"{}"), http(200, b'{"report_seconds": 3}')) as url:
        link = Link(url)
        assert link.sync(CREDENTIAL, IDLE).report_seconds == 10
        assert link.sync(CREDENTIAL, IDLE).report_seconds == 3
        link.close()


def test_pauses_grow_and_differ() -> None:
    assert {pause_after(1) for _ in range(20)} != {pause_after(1)}
    assert all(pause_after(1) <= 0.2 for _ in range(50))
    assert all(5 <= pause_after(10_000) <= 10 for _ in range(50))
