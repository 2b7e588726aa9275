"""How many requests a project may send: a bucket in memory per project and verb, filled steadily.

Each API process counts for itself, so the limits of an installation are those of one process times
the number of processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trove.errors import Invalid, RateLimited
from trove.settings import ApiSettings

MINUTE = 60.0
MOST_BUCKETS = 20_000
"""Buckets that are full again are forgotten beyond this number."""


@dataclass(frozen=True)
class Rate:
    """One row of `GET /limits`."""

    name: str
    verb: str
    uri: str
    regex: str
    value: int
    """Requests a minute."""


@dataclass(slots=True)
class _Bucket:
    left: float
    seen: float


class RateLimits:
    """Counts requests; thread-safe as long as one event loop calls `take`."""

    def __init__(
        self, settings: ApiSettings, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self.rates = _rates_of(settings)

    def take(self, project_id: str, verb: str, *, is_mgmt: bool) -> tuple[int, int] | None:
        """Count one request: (limit, how many are left); raises RateLimited.

        None when this verb is not limited.
        """
        rate = self.rates.get("MGMT_POST" if is_mgmt and verb == "POST" else verb)
        if rate is None:
            return None
        bucket = self._bucket(project_id, rate)
        # Steadily filled, not emptied by the minute: a client that went too far waits seconds.
        if bucket.left < 1:
            wait = (1 - bucket.left) * MINUTE / rate.value
            raise RateLimited(
                f"Only {rate.value} {rate.verb} request(s) can be made to {rate.uri} every minute.",
                retry_after=wait,
            )
        bucket.left -= 1
        return rate.value, int(bucket.left)

    def left(self, project_id: str, rate: Rate) -> tuple[int, float]:
        """How many requests are left now, and in how many seconds there is one."""
        bucket = self._bucket(project_id, rate)
        wait = max(0.0, (1 - bucket.left) * MINUTE / rate.value)
        return int(bucket.left), wait

    def _bucket(self, project_id: str, rate: Rate) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get((project_id, rate.name))
        if bucket is None:
            # Only when one is added, so that requests with a bucket do not pay for it.
            self._forget_the_full(now)
            bucket = self._buckets[project_id, rate.name] = _Bucket(rate.value, now)
        bucket.left = min(rate.value, bucket.left + (now - bucket.seen) * rate.value / MINUTE)
        bucket.seen = now
        return bucket

    def _forget_the_full(self, now: float) -> None:
        """A bucket that was not used for a minute is full, as a new one is."""
        if len(self._buckets) < MOST_BUCKETS:
            return
        self._buckets = {k: b for k, b in self._buckets.items() if now - b.seen < MINUTE}


def _rates_of(settings: ApiSettings) -> Mapping[str, Rate]:
    """Raises Invalid for a rate that allows no request at all."""
    for verb in ("get", "post", "put", "delete", "mgmt_post"):
        if getattr(settings, f"http_{verb}_rate") < 1:
            raise Invalid(
                "at least one request a minute must be allowed", field=f"http_{verb}_rate"
            )
    return {
        "POST": Rate("POST", "POST", "*", ".*", settings.http_post_rate),
        "PUT": Rate("PUT", "PUT", "*", ".*", settings.http_put_rate),
        # No option sets it, and on this wire PATCH is an older form of PUT: they share a bucket.
        "PATCH": Rate("PUT", "PUT", "*", ".*", settings.http_put_rate),
        "DELETE": Rate("DELETE", "DELETE", "*", ".*", settings.http_delete_rate),
        "GET": Rate("GET", "GET", "*", ".*", settings.http_get_rate),
        "HEAD": Rate("GET", "GET", "*", ".*", settings.http_get_rate),
        "MGMT_POST": Rate("MGMT_POST", "POST", "*/mgmt", "^/mgmt", settings.http_mgmt_post_rate),
    }
