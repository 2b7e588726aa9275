"""The identity of a copied data directory, written into PostgreSQL's control file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.datastores.postgresql.seed import (
    CHECKSUM,
    IDENTITY,
    LONGEST_CONTROL,
    checksums,
    with_new_identity,
)
from trove.errors import Failed

BODIES = st.binary(min_size=IDENTITY.size, max_size=LONGEST_CONTROL - 2 * CHECKSUM.size)


def control_of(body: bytes) -> bytes:
    """As PostgreSQL writes it: the checksum behind what it covers, and zeros up to 8 kB."""
    return (body + CHECKSUM.pack(checksums(body)[-1])).ljust(8192, b"\0")


def test_checksums_are_those_of_the_standard() -> None:
    assert checksums(b"123456789")[-1] == 0xE3069283


@given(BODIES)
def test_the_identity_and_its_checksum_alone_change(body: bytes) -> None:
    before = control_of(body)
    after = with_new_identity(before)
    assert len(after) == len(before)
    end = next(n for n in range(IDENTITY.size, len(body) + 1) if after[n:] != before[n:])
    assert end <= len(body)
    changed = with_new_identity(after)
    assert changed[: IDENTITY.size] != after[: IDENTITY.size] != before[: IDENTITY.size]
    assert after[len(body) + CHECKSUM.size :] == before[len(body) + CHECKSUM.size :]


@given(BODIES)
def test_the_new_checksum_is_right(body: bytes) -> None:
    # Of another content that has a right checksum earlier, the first one counts.
    after = with_new_identity(control_of(body))
    ends = [
        n
        for n in range(IDENTITY.size, len(body) + 1)
        if CHECKSUM.unpack_from(after, n)[0] == checksums(after[:n])[-1]
    ]
    assert ends


@pytest.mark.parametrize("control", [b"", b"short", b"x" * 8192, control_of(b"y" * 100)[:100]])
def test_another_format_fails(control: bytes) -> None:
    with pytest.raises(Failed, match="not of a known format"):
        with_new_identity(control)
