from pathlib import Path

import pytest

from trove.errors import Failed
from trove.providers.local import identities
from trove.providers.local.identities import Identities, has_account
from trove.providers.local.layout import Layout

FIRST = 330_000


def test_a_number_is_one_servers_own(tmp_path: Path) -> None:
    known = Identities(Layout(tmp_path), FIRST)
    assert [known.ensure(name) for name in "aba"] == [FIRST, FIRST + 1, FIRST]
    known.release("a")
    known.release("a")
    assert known.of("a") is None
    assert known.ensure("c") == FIRST


def test_numbers_of_accounts_processes_and_containers_are_left_alone(tmp_path: Path) -> None:
    given = tmp_path / "subuid"
    given.write_text("# nobody\nalice:2:9999\nbob:none\n")
    known = Identities(Layout(tmp_path), 0, (given, tmp_path / "missing"))
    assert has_account(0)
    assert known.ensure("a") not in {0, *range(2, 10_001)}


def test_when_all_are_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "MOST", 1)
    known = Identities(Layout(tmp_path), FIRST)
    known.ensure("a")
    with pytest.raises(Failed, match="All of the 1 user ids"):
        known.ensure("b")
