"""Operations that are begun, cancelled, replaced and interrupted by crashes in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.recipes import WORKFLOWS
from tests.support.things import Things
from trove.engine import ENDED, Operation, State
from trove.errors import Conflict, Failed
from trove.testing.world import Crash, crash_at, metadata_in

few = settings(max_examples=25, deadline=None, derandomize=True)

SUBJECTS = ("first", "second")
FAILURES = ("make_volume", "make_server", "announce")
subjects = st.sampled_from(SUBJECTS)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), subjects),
        st.tuples(st.just("cancel"), subjects),
        st.tuples(st.just("delete"), subjects),
        st.tuples(st.just("run"), st.integers(0, 12)),
        st.tuples(st.just("fail"), st.sampled_from(FAILURES)),
        st.tuples(st.just("repair"), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 21.0, 61.0, 400.0])),
    ),
    min_size=1,
    max_size=14,
)
Moves = list[tuple[str, object]]


@contextmanager
def fresh_things() -> Iterator[Things]:
    with tempfile.TemporaryDirectory() as directory:
        metadata = metadata_in(Path(directory))
        yield Things(metadata, Path(directory) / "things", WORKFLOWS)
        metadata.close()


class Tenant:
    """A caller of operations on two subjects, one at a time on each."""

    def __init__(self, things: Things) -> None:
        self.things = things
        self.last: dict[str, str] = {}
        self.begun: list[str] = []

    def apply(self, move: str, argument: object) -> None:
        if move == "run":
            self._run_until(len(self.things.trace) + int(str(argument)))
        elif move == "fail":
            self.things.failing[str(argument)] = Failed("the machine is away")
        elif move == "repair":
            self.things.failing.clear()
        elif move == "wait":
            self.things.clock.advance(float(str(argument)))
            self.things.bring_up()
        else:
            self._call(move, str(argument))

    def finish(self) -> None:
        """Nothing fails any more, and everything goes on to its end."""
        self.things.failing.clear()
        self.things.reset()
        self.things.drain()

    def _call(self, move: str, subject: str) -> None:
        try:
            if move == "begin":
                self._note(subject, self.things.begin("thing.create", subject))
            elif move == "delete" and subject in self.last:
                self._note(subject, self.things.replace(self.last[subject], "thing.delete"))
            elif move == "cancel" and subject in self.last:
                self.things.cancel(self.last[subject])
        except Conflict:
            """Refused, as a tenant would be."""

    def _note(self, subject: str, operation: str) -> None:
        self.last[subject] = operation
        self.begun.append(operation)

    def _run_until(self, point: int) -> None:
        self.things.at = crash_at(point)
        try:
            self.things.runner().run_until_idle()
        except Crash:
            self.things.clock.advance(21)


def rows_of(tenant: Tenant) -> list[Operation]:
    return [tenant.things.look(operation) for operation in tenant.begun]


@few
@given(moves)
def test_everything_ends_and_nothing_is_done_twice(moves: Moves) -> None:
    with fresh_things() as things:
        tenant = Tenant(things)
        for move in moves:
            tenant.apply(*move)
        tenant.finish()
        assert (things.active(), things.claimed()) == ([], []), things.trace
        assert {State(row.state) for row in rows_of(tenant)} <= set(map(State, ENDED))
        assert things.repeated_effects() == []
        assert things.inventory.collisions() == []


@few
@given(moves)
def test_what_is_there_is_what_the_last_operation_left(moves: Moves) -> None:
    with fresh_things() as things:
        tenant = Tenant(things)
        for move in moves:
            tenant.apply(*move)
        tenant.finish()
        for subject in SUBJECTS:
            last = tenant.last.get(subject)
            row = things.look(last) if last else None
            found = [each for each in things.inventory.everything() if each.endswith(subject)]
            if row is not None and row.workflow == "thing.delete":
                assert (row.state, found) == (State.SUCCEEDED, [])
            elif row is not None and row.state == State.SUCCEEDED:
                assert found == [f"server/{subject}", f"volume/{subject}"]
            else:
                assert len(found) == len(set(found)), "made twice"


@few
@given(moves)
def test_at_any_time_one_operation_has_its_subject(moves: Moves) -> None:
    with fresh_things() as things:
        tenant = Tenant(things)
        for move in moves:
            tenant.apply(*move)
            going = [things.look(operation).subject_id for operation in things.active()]
            assert sorted(going) == sorted(set(going))
            assert set(going) <= set(things.claimed()) <= set(SUBJECTS)
        tenant.finish()
