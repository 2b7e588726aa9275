"""Passwords that may stand in a statement as they are, and a repair that did not succeed."""

from __future__ import annotations

from pathlib import Path

import pytest

from trove.datastores import process
from trove.datastores.postgresql import cluster
from trove.errors import Failed


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `postgres --single` says; what it is fed is put behind it."""
    words = [""]

    def run(command: list[str], what: str, *, feed: str, **_: object) -> str:
        words.append(feed)
        return words[0]

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "program_of", lambda binaries, name: binaries / name)
    return words


@pytest.mark.parametrize("password", ["", "a'b", "a b", "a;", "\u00e9", "-_"])
def test_a_password_that_would_have_to_be_quoted_reaches_no_server(
    said: list[str], password: str
) -> None:
    for change in (cluster.set_password, cluster.repair):
        with pytest.raises(ValueError, match="quoted"):
            change(Path("/bin"), Path("/data"), password)
    assert len(said) == 1


def test_a_repair_counts_only_if_the_server_says_so(said: list[str]) -> None:
    # A server that quotes the statement has not executed it.
    for words in ("", "ERROR:  syntax error", cluster.REPAIR):
        said[0] = words
        with pytest.raises(Failed, match="did not repair"):
            cluster.repair(Path("/bin"), Path("/data"), "a-Z_9")
    said[0] = f'ERROR:  database exists\n 1: ?column? = "{cluster.REPAIRED}"'
    cluster.repair(Path("/bin"), Path("/data"), "a-Z_9")
    assert "ALTER ROLE os_admin PASSWORD 'a-Z_9'\n" in said[-1]


def test_a_first_password_that_fails(said: list[str]) -> None:
    said[0] = "ERROR:  no"
    with pytest.raises(Failed, match="did not set"):
        cluster.set_password(Path("/bin"), Path("/data"), "secret")
