"""The harness for engines: where they live, and how certificates of tests are signed."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from trove.datastores.base import Installation
from trove.testing.authority import Authority
from trove.testing.engines import free_address, make_spec, short_directory


def test_each_engine_has_a_place_and_an_address_of_its_own(tmp_path: Path) -> None:
    installation = Installation("postgresql", "99.1", tmp_path)
    with short_directory() as one, short_directory() as two:
        specs = [make_spec(root, installation) for root in (one, two)]
        assert len({spec.address for spec in specs}) == 2
        assert all(spec.data.is_dir() and spec.config.is_dir() for spec in specs)
        assert make_spec(one, installation, memory=1024, address="127.0.0.9").memory == 1024
    assert not one.exists()
    assert free_address(5432).startswith("127.71.")


def test_certificates_are_signed_for_the_address(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, Installation("postgresql", "99.1", tmp_path), address="127.0.0.9")
    Authority().equip(spec)
    certificate = x509.load_pem_x509_certificate(spec.certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(spec.authority.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.9"]
    certificate.verify_directly_issued_by(authority)
    assert spec.private_key.stat().st_mode & 0o777 == 0o600
