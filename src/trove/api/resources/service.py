"""The service itself: API versions, health, limits, quotas, and whom to trust for TLS."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType
from pydantic import Field

from trove.api.answers import Link
from trove.api.resources.fields import LARGEST_INT, Lenient, Whole

# -1 is no limit; strict, for pydantic would take true for 1.
Limit = Annotated[int, Field(ge=-1, le=LARGEST_INT, strict=True), Whole] | None


class QuotaUpdate(Lenient):
    quotas: dict[Annotated[str, Field(max_length=64)], Limit]


class QuotaShown(Struct):
    resource: str
    in_use: int
    reserved: int
    limit: int


class QuotasAnswer(Struct):
    quotas: list[QuotaShown]


class QuotasSetAnswer(Struct):
    quotas: dict[str, int]


class LimitShown(Struct, kw_only=True):
    """The absolute limits first, then how many requests of one kind are allowed in a minute."""

    verb: str
    max_instances: int | UnsetType = UNSET
    max_ram: int | UnsetType = UNSET
    max_backups: int | UnsetType = UNSET
    max_volumes: int | UnsetType = UNSET
    uri: str | UnsetType = UNSET
    regex: str | UnsetType = UNSET
    value: int | UnsetType = UNSET
    remaining: int | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    nextAvailable: str | UnsetType = UNSET


class LimitsAnswer(Struct):
    limits: list[LimitShown]


class ApiVersionShown(Struct):
    id: str
    status: str
    updated: str
    links: list[Link]


class ApiVersionAnswer(Struct):
    version: ApiVersionShown


class ApiVersionsAnswer(Struct):
    versions: list[ApiVersionShown]


class HealthAnswer(Struct):
    status: str


class CertificateShown(Struct):
    cn: str
    san: list[str]
    # Null until an agent of this release has renewed it, within weeks.
    expire_at: str | None
    payload: str | UnsetType = UNSET
    """The certificate itself, in PEM."""
    authority: str | UnsetType = UNSET


class TlsShown(Struct):
    status: str
    mode: str
    certificate: CertificateShown | UnsetType = UNSET


class TlsAnswer(Struct):
    ssl: TlsShown


class AuthorityShown(Struct):
    certificate: str


class AuthorityAnswer(Struct):
    certificate_authority: AuthorityShown
