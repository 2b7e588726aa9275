"""The harness for engines: where they live, and how certificates of tests are signed."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from cryptography import x509

from trove.datastores import datastore_of
from trove.datastores.base import Installation
from trove.datastores.parts import Parts
from trove.protocol.engine_spec import EngineSpec
from trove.testing.authority import Authority
from trove.testing.engines import (
    Client,
    Engine,
    free_address,
    make_engine,
    make_spec,
    short_directory,
)


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


class WithServer:
    def __init__(self, spec: EngineSpec, server: object) -> None:
        self.server = server


@pytest.mark.parametrize("server", [None, "a name"])
def test_a_driver_without_a_server_is_named(tmp_path: Path, server: object) -> None:
    """Authors of datastores learn here what the contract reads."""
    installation = Installation("postgresql", "99.1", tmp_path)
    spec = make_spec(tmp_path, installation, address="127.0.0.9")
    parts = Parts(datastore_of("postgresql"), spec)
    vars(parts)["driver"] = WithServer(spec, server) if server else object()
    engine = Engine(installation, spec, parts, cast(Client, None))
    with pytest.raises(AssertionError, match="the driver needs an attribute `server`, a Server"):
        engine.pid()


def test_the_server_of_a_driver_is_found(tmp_path: Path) -> None:
    installation = Installation("postgresql", "99.1", tmp_path)
    spec = make_spec(tmp_path, installation, address="127.0.0.9")
    engine = make_engine(installation, spec, cast(Client, None))
    assert engine.server.directory.parent == spec.data
