"""A certificate authority for tests, whose certificates the engines under test have."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trove.protocol.engine_spec import EngineSpec


@dataclass
class Authority:
    """Signs the certificates of engines, and is trusted by the tests' clients."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def certificate(self) -> x509.Certificate:
        if not hasattr(self, "_certificate"):
            name = _name("Test authority")
            self._certificate = _signed(name, name, self.key.public_key(), self.key, None)
        return self._certificate

    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def equip(self, spec: EngineSpec) -> None:
        """Give an engine its key and certificate, as the agent does."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject
        made = _signed(_name("db"), issuer, key.public_key(), self.key, spec.address)
        spec.private_key.touch(mode=0o600)
        spec.private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        spec.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        spec.authority.write_text(self.pem())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    address: str | None,
) -> x509.Certificate:
    """A certificate for an address, or without one an authority's own."""
    now = datetime.datetime.now(datetime.UTC)
    issuing = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuing), critical=False
        )
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())
