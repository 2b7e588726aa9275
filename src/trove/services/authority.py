"""The installation's certificate authority: signs the server certificates of its instances.

Law: the authority's key never leaves its file, an instance's key never leaves the instance; only
the public key of a signing request is used, and the names come from Trove's own records.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import select

from trove.errors import Failed, Invalid
from trove.files import ensure_private, write_private
from trove.models.agent import Agent
from trove.services.installation import Installation

SUFFIX = "trove.internal"
AUTHORITY_LIFETIME = timedelta(days=20 * 365)
CERTIFICATE_LIFETIME = timedelta(days=365)
LISTENER_LIFETIME = timedelta(days=5 * 365)
"""Of the services' own certificates, which are replaced at every start."""
RENEW_AFTER = timedelta(days=240)
CLOCK_SKEW = timedelta(hours=1)
SMALLEST_RSA_KEY = 2048

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class Authority:
    """A key and its self-signed certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate that clients check servers against."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, request: str, instance_id: str, address: str | None, *, now: datetime) -> str:
        """A server certificate (PEM) for the key in this request (a CSR in PEM).

        Its names are the instance's, whatever the request says. Raises Invalid.
        """
        name = host_name_of(instance_id)
        key = _public_key_in(request)
        return self._issue(key, name, _names(name, address), (now, now + CERTIFICATE_LIFETIME))

    def ensure_listener_certificate(
        self, path: Path, *hosts: str, now: datetime, common: str = "Trove conductor"
    ) -> None:
        """Write a new key and certificate for a service at these hosts to a private file.

        Its callers verify the certificate, so no other process that listens there can pass for it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        span = (now, now + LISTENER_LIFETIME)
        certificate = self._issue(key.public_key(), common, [*map(_host_in, hosts)], span)
        write_private(path, _pem_of(key) + certificate.encode())

    def _issue(
        self,
        key: PublicKey,
        common: str,
        names: list[x509.GeneralName],
        span: tuple[datetime, datetime],
    ) -> str:
        unsigned = (
            x509.CertificateBuilder()
            .subject_name(_name(common))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(span[0] - CLOCK_SKEW)
            .not_valid_after(span[1])
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        signed = unsigned.sign(self.key, hashes.SHA256())
        return signed.public_bytes(Encoding.PEM).decode()


def load_authority(directory: Path) -> Authority:
    """The authority whose key and certificate are in this directory, created on first use.

    Several processes may try at once: the first link of each file wins and all read the same.
    """
    key = load_pem_private_key(ensure_private(directory / "ca.key", _new_key), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Failed(f"{directory / 'ca.key'} is not an elliptic-curve key; replace it with one.")
    pem = ensure_private(directory / "ca.crt", lambda: _new_certificate(key))
    certificate = x509.load_pem_x509_certificate(pem)
    if certificate.public_key() != key.public_key():
        raise Failed(f"ca.key and ca.crt in {directory} do not belong together.")
    return Authority(key, certificate)


def listener_certificate_of(directory: Path, host: str, service: str = "conductor") -> Path:
    """The file of the key and certificate that the service at this host presents."""
    return directory / f"{service}-{host.replace(':', '_')}.pem"


def host_name_of(instance_id: str) -> str:
    """The DNS name in the certificate of an instance."""
    return f"{instance_id}.{SUFFIX}"


def certificate_of(inst: Installation, instance_id: str) -> str | None:
    """PEM of the certificate that was signed last for an instance."""
    with inst.database.session() as session:
        return session.scalar(select(Agent.certificate).where(Agent.instance_id == instance_id))


def expiry_of(certificate: str) -> datetime:
    """Until when a certificate in PEM is valid."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def _new_key() -> bytes:
    return _pem_of(ec.generate_private_key(ec.SECP256R1()))


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    now = datetime.now(UTC)
    name = _name(f"Trove authority {secrets.token_hex(4)}")
    signs = dict.fromkeys(("key_cert_sign", "crl_sign"), True)
    signs_not = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**signs, **signs_not), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


def _public_key_in(request: str) -> PublicKey:
    try:
        parsed = x509.load_pem_x509_csr(request.encode())
        genuine, key = parsed.is_signature_valid, parsed.public_key()
    except (ValueError, InvalidSignature) as error:
        raise Invalid(f"not a signing request in PEM: {error}", field="csr") from None
    if not genuine:
        raise Invalid("the request is not signed with its own key", field="csr")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA_KEY:
        raise Invalid(f"an RSA key needs {SMALLEST_RSA_KEY} bits", field="csr")
    if not isinstance(key, PublicKey):
        raise Invalid("keys are elliptic-curve, Ed25519 or RSA", field="csr")
    return key


def _names(name: str, address: str | None) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if address:
        names.append(x509.IPAddress(ipaddress.ip_address(address)))
    return names


def _host_in(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
