"""Keys are made in a process of their own, with or without an `openssl`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from trove.errors import Failed
from trove.guestagent import tls
from trove.guestagent.state import AgentDirectory
from trove.guestagent.tls import Request
from trove.protocol import CertificateAnswer


@pytest.fixture(params=["with openssl", "without"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr("shutil.which", lambda name: None)


@pytest.mark.usefixtures("way")
def test_a_key_and_its_request(agent_directory: AgentDirectory) -> None:
    with Request(agent_directory.spec) as request:
        csr = request.csr()
        due = request.install(CertificateAnswer("certificate", "authority", 100.0))
    key = agent_directory.spec.private_key
    parsed = x509.load_pem_x509_csr(csr.encode())
    assert parsed.is_signature_valid
    private = load_pem_private_key(key.read_bytes(), None)
    assert parsed.public_key() == private.public_key()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert agent_directory.spec.certificate.read_text() == "certificate"
    assert agent_directory.spec.authority.read_text() == "authority"
    assert due > 100
    names = sorted(path.name for path in agent_directory.spec.config.iterdir())
    assert names == ["ca.crt", "server.crt", "server.key"]


def program(tmp_path: Path, text: str) -> Callable[[str], str]:
    path = tmp_path / "openssl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return lambda name: str(path)


def test_a_key_that_cannot_be_made_is_reported(
    agent_directory: AgentDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", program(tmp_path, "echo broken >&2; exit 1"))
    with Request(agent_directory.spec) as request, pytest.raises(Failed, match="broken"):
        request.csr()


def test_a_request_has_a_time_limit(
    agent_directory: AgentDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", program(tmp_path, "exec sleep 600"))
    monkeypatch.setattr(tls, "PATIENCE", 0.05)
    with Request(agent_directory.spec) as request:
        with pytest.raises(Failed, match="no key"):
            request.csr()
        process = request._process
    assert process.returncode == -9


def test_a_key_is_on_the_disk_before_it_counts(
    agent_directory: AgentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut must not leave an empty one, which no later renewal would be due for."""
    synced: list[int] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        if not agent_directory.spec.private_key.exists():
            synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    with Request(agent_directory.spec) as request:
        request.csr()
        request.install(CertificateAnswer("certificate", "authority", 100.0))
    assert agent_directory.spec.private_key.stat().st_ino in synced
