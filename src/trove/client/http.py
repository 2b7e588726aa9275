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
TIMEOUT = Timeout(connect=10, read=120)
# From a proxy whose service is being restarted. 503 is not here: it is in LATER, with a wait.
GATEWAY_ERRORS = (502, 504)
LATER = (413, 429, 503)
"""What is answered by a service that can not now; Retry-After says when it can."""
RATE_LIMITED = (413, 429)
FIRST_WAIT, LONGEST_WAIT = 0.2, 60.0
"""Seconds; who is to wait for longer is told so at once."""


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is the JSON document, or None when there was none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


class Http:
    """A pool of connections; certificates are verified as the cloud says.

    A GET is tried again when the connection breaks or the service bids to wait, which `notice`
    is told of; anything else only when it was never sent, or when it bears an Idempotency-Key, by
    which the service does it once.
    """

    def __init__(
        self,
        cloud: Cloud,
        trace: Trace | None = None,
        *,
        retries: int = 3,
        notice: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.trace = trace or Trace()
        self.retries = retries
        self.notice = notice
        self.sleep = sleep
        self.pool = urllib3.PoolManager(timeout=TIMEOUT, **_tls_of(cloud))

    def close(self) -> None:
        """Give the connections back."""
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
        # urllib3 would take the first word for a host, and look for it.
        if not url.lower().startswith(("http://", "https://")):
            raise Misconfigured(f"'{url}' is not an address: http:// or https:// is missing.")
        sent = {"Accept": "application/json", "User-Agent": AGENT, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        # urllib3 could wait itself, but in silence, and as long as it is bidden.
        for attempt in range(self.retries):
            answer = self._once(method, url, sent, body)
            # Only a GET: 503 does not tell whether anything else was done.
            wait = _wait_after(answer, attempt) if method == "GET" else None
            # A script that hangs for minutes is worse than one that is told when to come back.
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
        self.trace.asked(method, url, headers, body)
        response = self._exchange(method, url, headers, body)
        document = _document(response.data)
        self.trace.answered(response.status, response.headers, document)
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
                # urllib3 would send the token on to whatever host is named: X-Auth-Token is not
                # among the headers that it drops.
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
            # A connection that breaks while the answer is awaited: the request may have been
            # carried out.
            read=self.retries if safe or keyed else 0,
            other=self.retries if safe or keyed else 0,
            # Every method for urllib3: which may be repeated after what is said by `read` and
            # `other`.
            allowed_methods=None,
            backoff_factor=0.2,
            status_forcelist=GATEWAY_ERRORS if safe else (),
            # See `request`, which waits and says so.
            respect_retry_after_header=False,
            # The last answer is wanted, with its message, not urllib3's words about it.
            raise_on_status=False,
        )


def _tls_of(cloud: Cloud) -> dict[str, Any]:
    if not cloud.verifies:
        # Whoever chose --insecure need not be told so at every request.
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
    # A proxy's page of HTML, or anything that is not our service.
    except ValueError:
        return data.decode(errors="replace")


def _wait_after(answer: Answer, attempt: int) -> float | None:
    """Seconds until it may be tried again; None when that is of no use."""
    if answer.status not in LATER:
        return None
    bidden = _bidden_wait(answer)
    # Our 503 bids no time, for python-troveclient can not read one there; so we guess.
    return FIRST_WAIT * 2**attempt if bidden is None and answer.status == 503 else bidden


def _bidden_wait(answer: Answer) -> float | None:
    header = answer.headers.get("Retry-After", "")
    # Retry-After may be a date as well, which no service of this wire sends.
    return float(header) if header.isascii() and header.isdigit() else None


def _error_of(answer: Answer) -> HttpError:
    request_id = answer.headers.get("X-OpenStack-Request-Id", "")
    message = _message_in(answer.body) or answer.reason or "The service gave no reason."
    wait = _bidden_wait(answer)
    if answer.status in RATE_LIMITED and wait is not None:
        message += f" Nothing was done; try again in {wait:g} s."
    return HttpError(answer.status, message, request_id)


def _message_in(document: Any) -> str:
    """Trove says {name: {code, message}}, others {message} or {error: {message}}."""
    if isinstance(document, str):
        # A proxy's page may be long, and what is wrong stands at its beginning.
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
    place = f"{parts.scheme}://{parts.netloc}"
    return Unreachable(f"{place} does not answer: {_cause(reason)} {_advice(place, reason)}")


def _cause(reason: object) -> str:
    words = str(reason)
    # urllib3 has the reason in its words alone, no number.
    if "refused" in words:
        return "connection refused."
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "there is no such host."
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return "no answer in time."
    return f"{words.rsplit(': ', 1)[-1].rstrip('.)')}."


def _advice(place: str, reason: object) -> str:
    if isinstance(reason, urllib3.exceptions.SSLError):
        return (
            "If its certificate comes from an authority of its own, "
            "name that with --os-cacert FILE (OS_CACERT)."
        )
    return (
        f"Check that the service runs there (`curl {place}/`; trove-standalone or trove-api "
        "starts it) and that OS_AUTH_URL or clouds.yaml names the right place."
    )
