from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.errors import Failed
from trove.providers.local import identities
from trove.providers.local.identities import Identities, first_free, has_account
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
    subuid = tmp_path / "subuid"
    subuid.write_text("# a comment\nalice:2:9999\nbob:none\n")
    known = Identities(Layout(tmp_path), 0, (subuid, tmp_path / "missing"))
    assert has_account(0)
    assert known.ensure("a") not in {0, *range(2, 10_001)}


TEN_USERS = "".join(f"user{n}:{100_000 + n * 65_536}:65536\n" for n in range(10))
MACHINES = {
    "none": ("", 210_000),
    "one user": ("alice:100000:65536\n", 210_000),
    "lxd": ("root:100000:10000001\nlxd:100000:10000001\n", 10_100_001),
    "ten users": (TEN_USERS, 100_000 + 10 * 65_536),
    "the usual range in part": ("alice:270000:10\n", 270_010),
    "below all": ("alice:500000:65536\n", 210_000),
    "a range up to the end": ("a:100000:200000\nb:2000000000:2000000000\n", 300_000),
    "a gap that is too small": ("a:100000:200000\nb:365000:2147110000\nc:1:2\n", None),
    "lines of other kinds": ("# a:200000:99999\n\n:::\na:x:y\nb:1:2:3\nalice:1\n", 210_000),
}


@pytest.mark.parametrize("name", MACHINES)
def test_numbers_begin_where_no_user_has_subordinate_ids(tmp_path: Path, name: str) -> None:
    text, expected = MACHINES[name]
    (tmp_path / "subuid").write_text(text)
    known = Identities(Layout(tmp_path), None, (tmp_path / "subuid", tmp_path / "subgid"))
    if expected is None:
        with pytest.raises(Failed, match=r"subordinate ids .* leave no 65536 .*first_uid"):
            known.ensure("a")
        return
    number = known.ensure("a")
    # Other numbers of this machine may be taken as well.
    assert expected <= number < expected + 1000
    assert not any(number in found for found in identities._ranges(tmp_path / "subuid"))


ranges = st.builds(lambda start, count: range(start, start + count), *[st.integers(0, 2**31)] * 2)


@given(st.lists(ranges, max_size=8))
def test_what_is_found_is_free_and_no_file_can_hide_it(given_away: list[range]) -> None:
    try:
        first = first_free(given_away)
    except Failed:
        # No such run at the usual place, nor behind any range.
        starts = [210_000, *(found.stop for found in given_away if found.stop >= 210_000)]
        assert all(
            start + 65_536 > 2**31
            or any(found.start < start + 65_536 and found.stop > start for found in given_away)
            for start in starts
        )
        return
    assert 210_000 <= first <= 2**31 - 65_536
    assert all(
        found.stop <= first or found.start >= first + 65_536 for found in given_away if found
    )


def test_the_first_start_decides(tmp_path: Path) -> None:
    """A user who is added later moves nothing, and is not given the same numbers."""
    subuid = tmp_path / "subuid"
    known = Identities(Layout(tmp_path), None, (subuid,))
    first = known.ensure("a")
    subuid.write_text("root:100000:10000001\n")
    again = Identities(Layout(tmp_path), None, (subuid,))
    assert again.ensure("a") == first
    with pytest.raises(Failed, match=rf"{subuid} give ids of this range .* first_uid"):
        again.ensure("b")
    subuid.write_text("")
    assert again.ensure("b") - first < 1000
    assert Layout(tmp_path).first_uid.stat().st_mode & 0o777 == 0o600


def test_when_all_are_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "MOST", 1)
    known = Identities(Layout(tmp_path), two_free_numbers(), ())
    known.ensure("a")
    with pytest.raises(Failed, match="All of the 1 user ids"):
        known.ensure("b")
