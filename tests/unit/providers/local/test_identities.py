from pathlib import Path

import pytest

from trove.errors import Failed
from trove.providers.local import identities
from trove.providers.local.identities import Identities, has_account
from trove.providers.local.layout import Layout


def two_free_numbers() -> int:
    """The first of two numbers in a row that nothing on this machine uses."""
    used = {int(p.stat().st_uid) for p in Path("/proc").glob("[0-9]*") if p.exists()}
    for first in range(330_000, 400_000, 2):
        pair = {first, first + 1}
        if not pair & used and not any(map(has_account, pair)):
            return first
    raise AssertionError("no two user ids in a row are free")


def test_a_number_belongs_to_one_server(tmp_path: Path) -> None:
    first = two_free_numbers()
    known = Identities(Layout(tmp_path), first, ())
    assert [known.ensure(name) for name in "aba"] == [first, first + 1, first]
    known.release("a")
    known.release("a")
    assert known.of("a") is None
    assert known.ensure("c") == first


def test_numbers_of_accounts_processes_and_containers_are_left_alone(tmp_path: Path) -> None:
    given = tmp_path / "subuid"
    given.write_text("# nobody\nalice:2:9999\nbob:none\n")
    known = Identities(Layout(tmp_path), 0, (given, tmp_path / "missing"))
    assert has_account(0)
    assert known.ensure("a") not in {0, *range(2, 10_001)}


def test_when_all_are_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "MOST", 1)
    known = Identities(Layout(tmp_path), two_free_numbers(), ())
    known.ensure("a")
    with pytest.raises(Failed, match="All of the 1 user ids"):
        known.ensure("b")
