"""Who has which address or number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trove.providers.local.reservations import Reservations


def test_a_key_has_one_holder(tmp_path: Path) -> None:
    taken = Reservations(tmp_path / "keys")
    assert taken.holders() == set()
    assert taken.take("1", "a")
    assert not taken.take("1", "b")
    assert (taken.of("a"), taken.of("b"), taken.holders()) == ("1", None, {"a"})
    taken.release("b")
    taken.release("a")
    assert taken.take("1", "b")


def test_others_may_release_theirs_while_one_looks(tmp_path: Path) -> None:
    taken = Reservations(tmp_path / "keys")
    assert taken.take("mine", "me")

    def come_and_go(name: str) -> None:
        for _ in range(200):
            taken.take(name, name)
            taken.release(name)

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(come_and_go, f"other{n}") for n in range(4)]
        while not all(other.done() for other in others):
            assert taken.of("me") == "mine"
            assert "me" in taken.holders()
    for other in others:
        other.result()
