"""One HTTP exchange with JSON on both sides: retries, TLS, tracing, and errors that explain."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.util import Retry, Timeout

from trove.client.cloud import Cloud
from trove.client.errors import HttpError, Misconfigured, Unreachable
from trove.client.trace import Trace

AGENT = "trove-cli"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
RETRIES = 3
# From a proxy whose service restarts. 503 is in RETRYABLE instead, with a wait.
GATEWAY_ERRORS = (502, 504)
RETRYABLE = (413, 429, 503)
"""The service cannot answer now; Retry-After says when it can."""
RATE_LIMITED = (413, 429)
FIRST_WAIT, LONGEST_WAIT = 0.2, 60.0
"""Seconds; a longer wait is reported as an error at once."""


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is the JSON document, or None when there was none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


class Http:
    """A pool of connections; certificates are verified as the cloud says.

    A GET is tried again when the connection breaks or the service requests a wait, which is
    reported to `notice`; anything else only when it was never sent, or when it has an
    Idempotency-Key, so that the service does it once.
    """

    def __init__(
        self,
        cloud: Cloud,
        trace: Trace | None = None,
        *,
        retries: int = RETRIES,
        timeout: float = ANSWER_SECONDS,
        notice: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.trace = trace or Trace()
        self.retries = retries
        self.notice = notice
        self.sleep = sleep
        self.pool = urllib3.PoolManager(
            timeout=Timeout(connect=min(CONNECT_SECONDS, timeout), read=timeout), **_tls_of(cloud)
        )

    def close(self) -> None:
        """Close the connections."""
        self.pool.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises HttpError for an answer of 400 or more, Unreachable without any, Misconfigured."""
        # urllib3 would use the first word as a host name.
        if not url.lower().startswith(("http://", "https://")):
            raise Misconfigured(f"'{url}' is not an address: http:// or https:// is missing.")
        sent = {"Accept": "application/json", "User-Agent": AGENT, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        # urllib3 could wait itself, but silently, and for any time that the service requests.
        for attempt in range(self.retries):
            answer = self._once(method, url, sent, body)
            # Only a GET: after a 503 it is unknown whether anything else was done.
            wait = _wait_after(answer, attempt) if method == "GET" else None
            # An error with the time is better than a script that hangs for minutes.
            if wait is None or wait > LONGEST_WAIT:
                break
            self.notice(f"{_message_in(answer.body)} Trying again in {wait:.3g} s.".lstrip())
            self.sleep(wait)
        else:
            answer = self._once(method, url, sent, body)
        if answer.status >= 400:
            raise _error_of(answer)
        return answer

    def _once(self, method: str, url: str, headers: dict[str, str], body: Any) -> Answer:
        self.trace.request(method, url, headers, body)
        response = self._exchange(method, url, headers, body)
        document = _document(response.data)
        self.trace.answer(response.status, response.headers, document)
        return Answer(response.status, document, response.headers, response.reason or "")

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], body: Any
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self.pool.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                retries=self._retry_of(method, "Idempotency-Key" in headers),
                # urllib3 would forward the token to any host: X-Auth-Token is not among the
                # headers that it drops.
                redirect=False,
            )
        except urllib3.exceptions.LocationValueError as error:
            raise Misconfigured(f"'{url}' is not an address: {error}") from None
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(url, error) from None

    def _retry_of(self, method: str, keyed: bool) -> Retry:
        safe = method == "GET"
        return Retry(
            total=self.retries,
            # When a connection breaks before the answer, the request may have been carried out.
            read=self.retries if safe or keyed else 0,
            other=self.retries if safe or keyed else 0,
            # Every method: `read` and `other` say which may be repeated.
            allowed_methods=None,
            backoff_factor=0.2,
            status_forcelist=GATEWAY_ERRORS if safe else (),
            # `request` waits and reports it.
            respect_retry_after_header=False,
            # For the message of the last answer, instead of urllib3's.
            raise_on_status=False,
        )


def _tls_of(cloud: Cloud) -> dict[str, Any]:
    if not cloud.verifies:
        # The user chose --insecure; a warning at every request adds nothing.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return {"cert_reqs": "CERT_NONE", "assert_hostname": False}
    options: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED"}
    if cloud.cacert:
        options["ca_certs"] = cloud.cacert
    if cloud.cert:
        options |= {"cert_file": cloud.cert, "key_file": cloud.key or None}
    return options


def _document(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    # An HTML page of a proxy, or another service.
    except ValueError:
        return data.decode(errors="replace")


def _wait_after(answer: Answer, attempt: int) -> float | None:
    """Seconds until the next attempt; None when there should be none."""
    if answer.status not in RETRYABLE:
        return None
    given = _retry_after(answer)
    # Our 503 has no Retry-After, which python-troveclient cannot read there: back off instead.
    return FIRST_WAIT * 2**attempt if given is None and answer.status == 503 else given


def _retry_after(answer: Answer) -> float | None:
    header = answer.headers.get("Retry-After", "")
    # Retry-After may be a date as well, which no service of this wire sends.
    return float(header) if header.isascii() and header.isdigit() else None


def _error_of(answer: Answer) -> HttpError:
    request_id = answer.headers.get("X-OpenStack-Request-Id", "")
    message = _message_in(answer.body) or answer.reason or "The service gave no reason."
    wait = _retry_after(answer)
    if answer.status in RATE_LIMITED and wait is not None:
        message += f" Nothing was done; try again in {wait:g} s."
    return HttpError(answer.status, message, request_id)


def _message_in(document: Any) -> str:
    """Trove says {name: {code, message}}, others {message} or {error: {message}}."""
    if isinstance(document, str):
        # A page of a proxy may be long; the reason is at its beginning.
        return document.strip()[:300]
    if not isinstance(document, dict):
        return ""
    if "message" in document:
        return str(document["message"])
    # The name of the error is the key and differs from error to error.
    inner = [value for value in document.values() if isinstance(value, dict)]
    return str(inner[0].get("message", "")) if inner else ""


def _unreachable(url: str, error: Exception) -> Unreachable:
    reason = getattr(error, "reason", None) or error
    parts = urllib3.util.parse_url(url)
    server = f"{parts.scheme}://{parts.netloc}"
    return Unreachable(f"{server} does not answer: {_cause(reason)} {_advice(server, reason)}")


def _cause(reason: object) -> str:
    words = str(reason)
    # urllib3 gives the reason only as text.
    if "refused" in words:
        return "connection refused."
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "there is no such host."
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return "no answer in time."
    return f"{words.rsplit(': ', 1)[-1].rstrip('.)')}."


def _advice(server: str, reason: object) -> str:
    if isinstance(reason, urllib3.exceptions.SSLError):
        return (
            "If its certificate comes from a private authority, "
            "name that with --os-cacert FILE (OS_CACERT)."
        )
    return (
        f"Check that the service runs there (`curl {server}/`; trove-standalone or trove-api "
        "starts it) and that OS_AUTH_URL or clouds.yaml has the right address."
    )
