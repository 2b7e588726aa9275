"""The installation's own certificate authority."""

from __future__ import annotations

import ipaddress
import multiprocessing
import ssl
import stat
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from trove.errors import Failed, Invalid
from trove.services.authority import Authority, host_name_of, load_authority

NOW = datetime(2030, 1, 1, tzinfo=UTC)
INSTANCE = "8c1f5c3e-7c5c-4c60-9f39-2f8a2a0f9a11"


def request_with(key: object, algorithm: object = hashes.SHA256()) -> str:  # noqa: B008
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another-authority")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("evil.example")]), critical=False
    )
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return load_authority(tmp_path / "ca")


def test_it_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    first = load_authority(tmp_path / "ca")
    assert load_authority(tmp_path / "ca").pem == first.pem
    assert stat.S_IMODE((tmp_path / "ca" / "ca.key").stat().st_mode) == 0o600
    assert sorted(p.name for p in (tmp_path / "ca").iterdir()) == ["ca.crt", "ca.key"]
    constraints = first.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca
    assert constraints.value.path_length == 0


def test_everybody_who_makes_it_at_once_gets_the_same(tmp_path: Path) -> None:
    afresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=afresh) as pool:
        made = list(pool.map(_pem_of, [tmp_path / "ca"] * 12))
    assert len(set(made)) == 1


def test_threads_too(tmp_path: Path) -> None:
    made: list[str] = []
    ready = threading.Barrier(8)

    def load() -> None:
        ready.wait()
        made.append(load_authority(tmp_path / "ca").pem)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


def test_a_certificate_bears_the_names_that_trove_knows(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = authority.sign(request_with(key), INSTANCE, "127.72.0.9", now=NOW)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    name = f"{INSTANCE}.trove.internal"
    assert host_name_of(INSTANCE) == name
    assert certificate.subject.rfc4514_string() == f"CN={name}"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.72.0.9")]
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    assert certificate.not_valid_after_utc - NOW == timedelta(days=365)
    certificate.verify_directly_issued_by(authority.certificate)


def test_an_instance_without_an_address_has_a_name(authority: Authority) -> None:
    csr = request_with(ec.generate_private_key(ec.SECP256R1()))
    pem = authority.sign(csr, INSTANCE, None, now=NOW)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(names) == 1


def test_a_client_that_trusts_the_authority_trusts_the_server(
    authority: Authority, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = authority.sign(request_with(key), INSTANCE, "127.72.0.9", now=datetime.now(UTC))
    pair = tmp_path / "pair.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    pair.write_text(private + pem)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair)
    client_side = ssl.create_default_context(cadata=authority.pem)
    for host in ("127.72.0.9", host_name_of(INSTANCE)):
        shake_hands(server_side, client_side, host)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_side, client_side, "127.72.0.10")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), hashes.SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
    ids=["rsa", "ed25519"],
)
def test_other_keys_will_do(authority: Authority, key: object, algorithm: object) -> None:
    assert authority.sign(request_with(key, algorithm), INSTANCE, None, now=NOW)


def test_bad_requests_are_refused(authority: Authority) -> None:
    good = request_with(ec.generate_private_key(ec.SECP256R1()))
    middle = len(good) * 3 // 4
    forged = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
    for csr in ("", "no PEM at all", forged):
        with pytest.raises(Invalid, match="csr"):
            authority.sign(csr, INSTANCE, None, now=NOW)
    with pytest.raises(Invalid, match="2048 bits"):
        authority.sign(request_with(rsa.generate_private_key(65537, 1024)), INSTANCE, None, now=NOW)
    with pytest.raises(Invalid, match="elliptic"):
        authority.sign(request_with(dsa.generate_private_key(1024)), INSTANCE, None, now=NOW)


def test_a_request_that_was_changed_is_refused(authority: Authority) -> None:
    one = x509.load_pem_x509_csr(
        request_with(ec.generate_private_key(ec.SECP256R1())).encode()
    ).public_bytes(Encoding.DER)
    changed = one.replace(b"evil.example", b"evil.exemple")
    csr = x509.load_der_x509_csr(changed).public_bytes(Encoding.PEM).decode()
    with pytest.raises(Invalid, match="its own key"):
        authority.sign(csr, INSTANCE, None, now=NOW)


def test_files_that_cannot_be_right_are_named(tmp_path: Path) -> None:
    load_authority(tmp_path / "one")
    load_authority(tmp_path / "two")
    (tmp_path / "one" / "ca.crt").write_bytes((tmp_path / "two" / "ca.crt").read_bytes())
    with pytest.raises(Failed, match="do not belong together"):
        load_authority(tmp_path / "one")
    wrong = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (tmp_path / "two" / "ca.key").write_bytes(wrong)
    with pytest.raises(Failed, match="elliptic"):
        load_authority(tmp_path / "two")


@pytest.mark.parametrize("host", ["127.0.0.1", "conductor.example.org"])
def test_a_conductor_is_known_by_its_address_or_name(tmp_path: Path, host: str) -> None:
    authority = load_authority(tmp_path / "ca")
    certificate = tmp_path / "listener.pem"
    authority.ensure_listener_certificate(certificate, host, now=datetime.now(UTC))
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cadata=authority.pem)
    shake_hands(server, client, host)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "elsewhere.example.org")


def shake_hands(server_side: ssl.SSLContext, client_side: ssl.SSLContext, host: str) -> None:
    """A TLS handshake in memory; raises as the client would."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue


def _pem_of(directory: Path) -> str:
    return load_authority(directory).pem
