"""Any requests at any times: no project gets more than its rate, or waits too long."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.api.rate import MINUTE, RateLimits
from trove.errors import RateLimited
from trove.settings import ApiSettings

many = settings(max_examples=150, deadline=None, derandomize=True)

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RATED = ("get", "post", "put", "delete")
BUCKET_OF = {"HEAD": "GET", "PATCH": "PUT"}
rates = st.integers(1, 12)
pauses = st.sampled_from([0.0, 0.0, 0.1, 1.0, 5.0, 30.0, 59.9, 61.0, 3600.0])
requests = st.lists(
    st.tuples(pauses, st.sampled_from(["red", "blue"]), st.sampled_from(VERBS)), max_size=60
)


class Watch:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limits_of(rate: int, watch: Watch) -> RateLimits:
    options: dict[str, Any] = {f"http_{verb}_rate": rate for verb in RATED}
    return RateLimits(ApiSettings(**options), watch)


def is_allowed(limits: RateLimits, project: str, verb: str) -> bool:
    try:
        limits.take(project, verb, is_mgmt=False)
    except RateLimited:
        return False
    return True


@many
@given(rates, requests)
def test_no_span_has_more_than_its_rate(rate: int, sent: list[tuple[float, str, str]]) -> None:
    watch = Watch()
    limits = limits_of(rate, watch)
    passed: dict[tuple[str, str], list[float]] = {}
    for pause, project, verb in sent:
        watch.now += pause
        if is_allowed(limits, project, verb):
            passed.setdefault((project, BUCKET_OF.get(verb, verb)), []).append(watch.now)
    for times in passed.values():
        for first, begin in enumerate(times):
            for last, end in enumerate(times[first:], first):
                most = rate + (end - begin) * rate / MINUTE
                assert last - first + 1 <= most + 1e-6


@many
@given(rates, requests)
def test_a_full_bucket_refuses_nothing(rate: int, sent: list[tuple[float, str, str]]) -> None:
    """The first requests of a project pass, up to its rate, whatever others do."""
    watch = Watch()
    limits = limits_of(rate, watch)
    seen: Counter[tuple[str, str]] = Counter()
    for pause, project, verb in sent:
        watch.now += pause
        bucket = project, BUCKET_OF.get(verb, verb)
        seen[bucket] += 1
        if seen[bucket] <= rate:
            assert is_allowed(limits, project, verb)


@many
@given(rates, requests)
def test_who_waits_as_long_as_it_says_is_let_in(
    rate: int, sent: list[tuple[float, str, str]]
) -> None:
    """Of whole seconds, as the header has them."""
    watch = Watch()
    limits = limits_of(rate, watch)
    for pause, project, verb in sent:
        watch.now += pause
        try:
            limits.take(project, verb, is_mgmt=False)
        except RateLimited as refused:
            assert refused.retry_after is not None
            assert 0 < refused.retry_after <= MINUTE / rate
            watch.now += math.ceil(refused.retry_after)
            assert is_allowed(limits, project, verb)


@many
@given(rates, requests)
def test_what_is_left_is_what_is_let_in(rate: int, sent: list[tuple[float, str, str]]) -> None:
    watch = Watch()
    limits = limits_of(rate, watch)
    for pause, project, verb in sent:
        watch.now += pause
        left, wait = limits.left(project, limits.rates[verb])
        assert (wait == 0) is (left > 0)
        assert is_allowed(limits, project, verb) is (left > 0)


@pytest.mark.parametrize("verb", ["OPTIONS", "TRACE", "CONNECT"])
def test_other_verbs_are_not_limited(verb: str) -> None:
    limits = limits_of(1, Watch())
    assert [limits.take("red", verb, is_mgmt=False) for _ in range(5)] == [None] * 5
