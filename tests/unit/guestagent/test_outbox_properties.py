"""Whatever is lost on the way, the conductor comes to know all, and nothing that is not so."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.guestagent.outbox import Batch, Outbox
from trove.protocol import Accounts, DatabaseAccount, TaskProgress, TaskResult

many = settings(max_examples=200, deadline=None, derandomize=True)

TASKS = ("t", "u", "v")
tasks = st.sampled_from(TASKS)
fates = st.sampled_from(["answered", "answer lost", "request lost"])
moves = st.lists(
    st.one_of(
        st.tuples(st.just("result"), tasks),
        st.tuples(st.just("progress"), tasks),
        st.tuples(st.just("accounts"), st.sampled_from(["none", "one", "two"])),
        st.tuples(st.just("send"), fates),
    ),
    max_size=30,
)


def accounts_of(word: str) -> Accounts:
    count = ["none", "one", "two"].index(word)
    return Accounts([DatabaseAccount(f"database-{n}") for n in range(count)])


@dataclass
class Conductor:
    """What it has received."""

    results: dict[str, TaskResult] = field(default_factory=dict)
    progress: dict[str, TaskProgress] = field(default_factory=dict)
    accounts: Accounts | None = None

    def receive(self, batch: Batch) -> None:
        self.results |= {result.id: result for result in batch.results}
        self.progress |= {progress.id: progress for progress in batch.progress}
        if batch.accounts is not None:
            self.accounts = batch.accounts


@dataclass
class Agent:
    """Its outbox, and what is so."""

    outbox: Outbox = field(default_factory=Outbox)
    conductor: Conductor = field(default_factory=Conductor)
    results: dict[str, TaskResult] = field(default_factory=dict)
    progress: dict[str, TaskProgress] = field(default_factory=dict)
    accounts: Accounts | None = None
    count: int = 0

    def apply(self, move: str, argument: str) -> None:
        self.count += 1
        if move == "result":
            self.results[argument] = TaskResult(argument, {"n": self.count})
            self.progress.pop(argument, None)
            self.outbox.add_result(self.results[argument])
        elif move == "progress":
            self.progress[argument] = TaskProgress(argument, self.count / 100)
            self.outbox.set_progress(self.progress[argument])
        elif move == "accounts":
            self.accounts = accounts_of(argument)
            self.outbox.set_accounts(self.accounts)
        else:
            self.send(argument)

    def send(self, fate: str = "answered") -> Batch:
        batch = self.outbox.batch()
        if fate != "request lost":
            self.conductor.receive(batch)
        if fate == "answered":
            self.outbox.acknowledge(batch)
        return batch


def agent_after(moves: list[tuple[str, str]]) -> Agent:
    agent = Agent()
    for move in moves:
        agent.apply(*move)
    return agent


@many
@given(moves)
def test_after_one_answer_the_conductor_knows_all(moves: list[tuple[str, str]]) -> None:
    agent = agent_after(moves)
    agent.send()
    assert agent.conductor.results == agent.results
    assert agent.conductor.accounts == agent.accounts
    assert agent.conductor.progress.items() >= agent.progress.items()


@many
@given(moves)
def test_what_was_answered_is_not_sent_again(moves: list[tuple[str, str]]) -> None:
    agent = agent_after(moves)
    agent.send()
    assert agent.send() == Batch([], [], None)


@many
@given(
    moves,
    st.sampled_from(
        [("result", "t"), ("progress", "u"), ("accounts", "none"), ("accounts", "two")]
    ),
)
def test_what_must_not_wait_is_news(moves: list[tuple[str, str]], last: tuple[str, str]) -> None:
    agent = agent_after(moves)
    agent.send()
    assert not agent.outbox.news.is_set()
    known = agent.accounts
    agent.apply(*last)
    changed = last[0] == "accounts" and accounts_of(last[1]) != known
    assert agent.outbox.news.is_set() is (last[0] == "result" or changed)


@many
@given(moves, moves)
def test_news_during_a_call_are_not_taken_for_sent(
    before: list[tuple[str, str]], during: list[tuple[str, str]]
) -> None:
    agent = agent_after(before)
    batch = agent.outbox.batch()
    for move, argument in during:
        if move != "send":
            agent.apply(move, argument)
    agent.conductor.receive(batch)
    agent.outbox.acknowledge(batch)
    agent.send()
    assert (agent.conductor.results, agent.conductor.accounts) == (agent.results, agent.accounts)


@pytest.mark.parametrize("fate", ["answer lost", "request lost"])
def test_a_lost_call_is_repeated_as_it_was(fate: str) -> None:
    agent = agent_after([("result", "t"), ("progress", "u"), ("accounts", "one")])
    first = agent.send(fate)
    assert agent.send(fate) == first
    assert agent.send("answered") == first
    assert agent.send() == Batch([], [], None)


def test_progress_waits_for_what_must_be_sent() -> None:
    agent = agent_after([("progress", "t")])
    assert not agent.outbox.news.is_set()
    agent.apply("result", "u")
    assert agent.outbox.news.is_set()
    assert [each.id for each in agent.send().progress] == ["t"]
    assert not agent.outbox.news.is_set()
