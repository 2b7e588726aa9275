"""What --debug prints may be shown to others."""

from __future__ import annotations

import hashlib
import io

from trove.client.trace import Trace, masked


def test_an_exchange_as_curl_lines() -> None:
    stream = io.StringIO()
    trace = Trace(stream)
    trace.request("POST", "http://t/x", {"X-Auth-Token": "tok"}, {"users": [{"password": "pw"}]})
    trace.answer(200, {"X-Subject-Token": "tok"}, {"user": {"name": "root", "password": "pw"}})
    trace.answer(202, {}, None)
    request, answer, body, last = stream.getvalue().splitlines()
    digest = hashlib.sha256(b"tok").hexdigest()
    assert request == (
        "REQ: curl -g -i -X POST http://t/x -H "
        f"""'X-Auth-Token: {{SHA256}}{digest}' -d '{{"users": [{{"password": "***"}}]}}'"""
    )
    assert answer == f"RESP: [200] X-Subject-Token: {{SHA256}}{digest}"
    assert body == 'RESP BODY: {"user": {"name": "root", "password": "***"}}'
    assert last == "RESP: [202] "


def test_silence() -> None:
    Trace().request("GET", "u", {}, None)
    Trace().answer(200, {}, None)


def test_a_token_in_a_body_is_masked() -> None:
    assert masked({"identity": {"methods": ["token"], "token": {"id": "t"}}}) == {
        "identity": {"methods": ["token"], "token": {"id": "***"}}
    }


def test_a_way_to_sign_in_is_no_secret() -> None:
    assert masked({"password": {"user": {"password": "x"}}}) == {
        "password": {"user": {"password": "***"}}
    }
