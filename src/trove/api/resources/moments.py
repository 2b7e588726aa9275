"""Moments as Trove has always written them: UTC, without a zone, without fractions."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(value: datetime) -> str:
    """`2026-11-21T06:33:00`"""
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    # gophercloud parses moments without a zone, and fails on a Z.
    return value.replace(tzinfo=None, microsecond=0).isoformat()


def maybe(value: datetime | None) -> str | None:
    return None if value is None else moment(value)
