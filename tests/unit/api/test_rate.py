"""Buckets fill steadily, and an empty one returns when to try again."""

from __future__ import annotations

import pytest

from trove.api import rate
from trove.api.rate import RateLimits
from trove.errors import Invalid, RateLimited
from trove.settings import ApiSettings


class Watch:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills() -> None:
    watch = Watch()
    limits = RateLimits(ApiSettings(http_get_rate=60), watch)
    for left in range(59, -1, -1):
        assert limits.take("p", "GET", is_mgmt=False) == (60, left)
    with pytest.raises(RateLimited) as refused:
        limits.take("p", "GET", is_mgmt=False)
    assert refused.value.retry_after == pytest.approx(1.0)
    assert limits.take("other", "GET", is_mgmt=False) == (60, 59)
    watch.now = 1.0
    assert limits.take("p", "GET", is_mgmt=False) == (60, 0)


def test_a_rate_that_allows_no_request_is_refused() -> None:
    with pytest.raises(Invalid, match="http_put_rate: at least one"):
        RateLimits(ApiSettings(http_put_rate=0))


def test_management_posts_have_a_bucket_of_their_own_and_other_verbs_none() -> None:
    limits = RateLimits(ApiSettings(http_post_rate=2, http_mgmt_post_rate=3), Watch())
    assert limits.take("p", "POST", is_mgmt=True) == (3, 2)
    assert limits.take("p", "POST", is_mgmt=False) == (2, 1)
    assert limits.take("p", "OPTIONS", is_mgmt=False) is None


def test_a_head_takes_from_the_bucket_of_its_get() -> None:
    limits = RateLimits(ApiSettings(http_get_rate=60), Watch())
    assert limits.take("p", "GET", is_mgmt=False) == (60, 59)
    assert limits.take("p", "HEAD", is_mgmt=False) == (60, 58)


def test_full_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "MOST_BUCKETS", 2)
    watch = Watch()
    limits = RateLimits(ApiSettings(), watch)
    for project in ("a", "b"):
        limits.take(project, "GET", is_mgmt=False)
    watch.now = 61.0
    limits.take("c", "GET", is_mgmt=False)
    assert len(limits._buckets) == 1
