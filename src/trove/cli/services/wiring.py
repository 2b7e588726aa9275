"""Builds, from settings, what a process works with. Called by entry points alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from trove import providers
from trove.cli.services.hosts import hosts_of
from trove.db import Database
from trove.providers.base import Provider
from trove.services.authority import listener_certificate_of, load_authority
from trove.services.installation import Installation
from trove.settings import Settings
from trove.vault import load_vault

IDLE_CONNECTIONS = 10


def build_provider(settings: Settings) -> Provider:
    """The infrastructure that the settings name."""
    return providers.create(settings)


def build_installation(settings: Settings, provider: Provider | None = None) -> Installation:
    """The services' environment; makes nothing but the key that seals secrets."""
    provider = provider or build_provider(settings)
    return Installation(
        settings=settings,
        database=Database(settings.url, pool_size=IDLE_CONNECTIONS),
        vault=load_vault(settings.key_file),
        catalog=provider.catalog,
        capabilities=provider.capabilities,
        memory_limit=provider.memory_limit,
        locales=provider.locales,
    )


def build_service(settings: Settings, provider: Provider | None = None) -> Installation:
    """An installation that also receives what the other services notify."""
    installation = build_installation(settings, provider)
    installation.database.notifications.start()
    return installation


def with_api_certificate(settings: Settings) -> Settings:
    """The API with a certificate of our own authority if it speaks TLS and has no other."""
    at = settings.api
    if at.tls_certificate or not at.has_tls:
        return settings
    certificate = listener_certificate_of(settings.authority, at.bind_host, "api")
    return replace(settings, api=replace(at, tls_certificate=certificate))


def api_authority(settings: Settings) -> Path | None:
    """What callers of the API verify it by, where our own authority made its certificate."""
    at = settings.api
    own = listener_certificate_of(settings.authority, at.bind_host, "api")
    return settings.authority / "ca.crt" if at.has_tls and at.tls_certificate == own else None


def ensure_api_certificate(settings: Settings) -> None:
    """Make the certificate that `with_api_certificate` names, if it is the one that is shown."""
    at = settings.api
    if at.tls_certificate and api_authority(settings):
        load_authority(settings.authority).ensure_listener_certificate(
            at.tls_certificate,
            *hosts_of(at.bind_host, at.public_endpoint),
            now=datetime.now(UTC),
            common="Trove API",
        )


def with_own_certificate(settings: Settings) -> Settings:
    """The conductor with a certificate of our own authority, unless an operator chose otherwise.

    On the machine where instances run, any program may listen at the conductor's address while
    the conductor does not: an agent must be able to distinguish the two.
    """
    at = settings.conductor
    # Behind a public_url a proxy shows a certificate, and this endpoint may be plain.
    if at.tls_certificate or at.public_url:
        return settings
    certificate = listener_certificate_of(settings.authority, at.bind_host)
    return replace(settings, conductor=replace(at, tls_certificate=certificate))


def ensure_own_certificate(settings: Settings) -> None:
    """Make the certificate that `with_own_certificate` names, if it is the one that is shown."""
    at = settings.conductor
    certificate = listener_certificate_of(settings.authority, at.bind_host)
    if at.tls_certificate == certificate:
        load_authority(settings.authority).ensure_listener_certificate(
            certificate, at.bind_host, now=datetime.now(UTC)
        )
