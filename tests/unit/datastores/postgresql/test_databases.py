"""Which encoding and locale a database of PostgreSQL gets."""

from __future__ import annotations

import pytest

from trove.datastores.postgresql.databases import USUAL_OPTIONS, encoding_and_locale_of
from trove.protocol import DatabaseAccount


@pytest.mark.parametrize("character_set", [None, "utf8", "UTF8", "UTF-8", "Unicode", "utf8mb4"])
@pytest.mark.parametrize(
    "collate", [None, "utf8", "utf8_general_ci", "utf8mb4_0900_ai_ci", "UTF8MB3_bin"]
)
def test_any_spelling_of_the_default(character_set: str | None, collate: str | None) -> None:
    database = DatabaseAccount("a", character_set, collate)
    assert encoding_and_locale_of(database) == USUAL_OPTIONS


@pytest.mark.parametrize(
    ("character_set", "collate", "expected"),
    [
        ("latin1", None, ("latin1", "C")),
        ("latin1", "utf8_general_ci", ("latin1", "C")),
        ("latin1", "de_DE.ISO-8859-1", ("latin1", "de_DE.ISO-8859-1")),
        ("utf8", "de_DE.UTF-8", ("UTF8", "de_DE.UTF-8")),
        (None, "C", ("UTF8", "C")),
    ],
)
def test_what_is_not_the_default(
    character_set: str | None, collate: str | None, expected: tuple[str, str]
) -> None:
    assert encoding_and_locale_of(DatabaseAccount("a", character_set, collate)) == expected
