"""Which services speak TLS, and with whose certificate."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from trove.cli.services import api_endpoint
from trove.cli.services.wiring import (
    api_authority,
    ensure_api_certificate,
    with_api_certificate,
)
from trove.settings import ApiSettings, Settings

ANYWHERE = "0.0.0.0"  # noqa: S104
OWN = Path("/etc/trove/api.pem")


def settings_of(state: Path, **options: object) -> Settings:
    api = replace(ApiSettings(bind_host="127.0.0.1"), **options)  # type: ignore[arg-type]
    return with_api_certificate(Settings(state_directory=state, api=api))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"bind_host": "127.9.8.7"}, False),
        ({"bind_host": "::1"}, False),
        ({"bind_host": "localhost"}, False),
        ({"bind_host": ANYWHERE}, True),
        ({"bind_host": "::"}, True),
        ({"bind_host": "10.1.2.3"}, True),
        ({"bind_host": "databases.example.org"}, True),
        # Who terminates TLS, or names the API with http, was there before the setting.
        ({"bind_host": ANYWHERE, "trusted_proxies": ("10.1.2.4",)}, False),
        ({"bind_host": ANYWHERE, "public_endpoint": "https://db.example.org"}, False),
        ({"bind_host": ANYWHERE, "auth": "keystone"}, False),
        ({"bind_host": ANYWHERE, "auth": "keystone", "tls": "on"}, True),
        ({"bind_host": ANYWHERE, "public_endpoint": "https://x", "tls": "on"}, True),
        ({"bind_host": ANYWHERE, "tls": "off"}, False),
        ({"tls": "on"}, True),
        # A certificate of the operator's own is meant to be used.
        ({"tls_certificate": OWN}, True),
        ({"tls_certificate": OWN, "auth": "keystone"}, True),
        ({"tls_certificate": OWN, "tls": "off"}, False),
    ],
)
def test_when_the_api_speaks_tls(
    tmp_path: Path, options: dict[str, object], expected: bool
) -> None:
    settings = settings_of(tmp_path, **options)
    assert settings.api.has_tls == expected
    tls = api_endpoint(settings).tls
    assert (tls is not None) == expected
    assert settings.api.local_url.startswith("https:" if expected else "http:")
    is_own = expected and "tls_certificate" not in options
    assert api_authority(settings) == (tmp_path / "ca" / "ca.crt" if is_own else None)


def test_the_certificate_is_private_and_has_the_hosts_names(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, bind_host="10.1.2.3", public_endpoint="https://db.example.org", tls="on"
    )
    ensure_api_certificate(settings)
    path = settings.api.tls_certificate
    assert path
    assert path == tmp_path / "ca" / "api-10.1.2.3.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["10.1.2.3", "db.example.org"]
    assert certificate.subject.rfc4514_string() == "CN=Trove API"
    before = path.read_bytes()
    ensure_api_certificate(settings)
    assert path.read_bytes() != before, "renewed at each start"


@pytest.mark.parametrize("options", [{}, {"tls": "off"}, {"tls_certificate": OWN}])
def test_no_certificate_is_made_that_is_not_used(
    tmp_path: Path, options: dict[str, object]
) -> None:
    ensure_api_certificate(settings_of(tmp_path, **options))
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_an_operators_certificate(tmp_path: Path) -> None:
    key = Path("/etc/trove/api.key")
    for private in (None, key):
        settings = settings_of(tmp_path, tls_certificate=OWN, tls_private_key=private)
        tls = api_endpoint(settings).tls
        assert tls
        assert (tls.certificate, tls.private_key) == (str(OWN), private and str(private))
