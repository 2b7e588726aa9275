"""Requests: signed in once, paged, retried where that is safe, never carried out twice."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import PROJECT, Reply, Service
from trove.client.cloud import Cloud
from trove.client.errors import HttpError, Misconfigured, Unreachable
from trove.client.http import Http
from trove.client.identity import Ticket
from trove.client.session import Session, next_marker, segment
from trove.client.token_cache import TokenCache


def test_signs_in_with_a_password_and_finds_the_service(
    service: Service, open_session: Callable[..., Session]
) -> None:
    service.knows_identity("t-1")
    service.give("/instances", {"instances": []})

    assert open_session().get("/instances") == {"instances": []}

    sign_in, listed = service.received
    assert sign_in.body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {"name": "alice", "password": "secret", "domain": {"id": "default"}}
                },
            },
            "scope": {"project": {"name": "demo", "domain": {"id": "default"}}},
        }
    }
    assert listed.headers["x-auth-token"] == "t-1"
    assert listed.path == f"/v1.0/{PROJECT}/instances"


def test_a_static_token_uses_no_identity_service(service: Service, session: Session) -> None:
    service.give("/instances", {"instances": []})
    session.get("/instances", limit=3, marker=None)
    (request,) = service.received
    assert request.headers["x-auth-token"] == "a-token"
    assert request.query == {"limit": "3"}


def test_without_authentication_no_token_is_sent(
    service: Service, open_session: Callable[..., Session]
) -> None:
    service.give("/instances", {"instances": []})
    open_session(endpoint=f"{service.url}/v1.0", auth_type="none", project_id=PROJECT).get(
        "/instances"
    )
    assert "x-auth-token" not in service.received[0].headers


def test_a_token_is_remembered_until_it_ends(
    service: Service, open_session: Callable[..., Session]
) -> None:
    service.knows_identity("t-1", "t-2")
    service.give("/instances", {"instances": []})
    for _ in range(2):
        open_session(cache=True).get("/instances")
    assert [each.method for each in service.received] == ["POST", "GET", "GET"]


def test_an_ended_token_is_replaced_once(
    service: Service, open_session: Callable[..., Session]
) -> None:
    service.knows_identity("t-1", "t-2")
    unauthorized = Reply(401, {"unauthorized": {"code": 401, "message": "no"}})
    service.on("GET", "/instances", unauthorized, Reply(200, {"instances": []}))
    open_session(cache=True).get("/instances")
    assert [each.headers.get("x-auth-token") for each in service.received] == [
        None,
        "t-1",
        None,
        "t-2",
    ]


def test_a_second_refusal_stands(service: Service, open_session: Callable[..., Session]) -> None:
    service.knows_identity()
    service.on("GET", "/instances", Reply(401, {"unauthorized": {"code": 401, "message": "no"}}))
    with pytest.raises(HttpError, match=r"no \(HTTP 401\)"):
        open_session().get("/instances")


def test_a_static_token_that_is_refused_is_not_replaced(service: Service, session: Session) -> None:
    service.on("GET", "/instances", Reply(401, {"unauthorized": {"code": 401, "message": "no"}}))
    with pytest.raises(HttpError):
        session.get("/instances")
    assert len(service.received) == 1


def test_every_page_is_read(service: Service, session: Session) -> None:
    first = {
        "instances": [{"id": "1"}],
        "links": [{"rel": "self", "href": ""}, {"rel": "next", "href": "x?limit=1&marker=z0%2540"}],
    }
    service.on("GET", "/instances", Reply(200, first), Reply(200, {"instances": [{"id": "2"}]}))
    assert [each["id"] for each in session.pages("/instances", "instances")] == ["1", "2"]
    assert service.received[1].query["marker"] == "z0%40"


def test_a_service_that_repeats_a_page_does_not_loop(service: Service, session: Session) -> None:
    page = {"instances": [], "links": [{"rel": "next", "href": "x?marker=7"}]}
    service.give("/instances", page)
    assert list(session.pages("/instances", "instances")) == []
    assert len(service.received) == 2


def test_next_marker_of_a_link_without_one() -> None:
    assert next_marker({"links": [{"rel": "next", "href": "x?limit=1"}]}) is None


def test_a_broken_get_is_tried_again(service: Service, session: Session) -> None:
    service.on("GET", "/instances", Reply(cut=True), Reply(200, {"instances": []}))
    assert session.get("/instances") == {"instances": []}
    assert len(service.received) == 2


def test_a_get_waits_out_a_gateway(service: Service, session: Session) -> None:
    service.on("GET", "/instances", Reply(503, "busy"), Reply(200, {"instances": []}))
    assert session.get("/instances") == {"instances": []}


def test_a_broken_create_is_tried_again_under_the_same_key(
    service: Service, session: Session
) -> None:
    service.on("POST", "/instances", Reply(cut=True), Reply(200, {"instance": {"id": "1"}}))
    assert session.post("/instances", {"instance": {}}) == {"instance": {"id": "1"}}
    keys = [each.headers["idempotency-key"] for each in service.received]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_two_creates_have_two_keys(service: Service, session: Session) -> None:
    service.on("POST", "/instances", Reply(202))
    session.post("/instances", {})
    session.post("/instances", {})
    first, second = (each.headers["idempotency-key"] for each in service.received)
    assert first != second


def test_a_broken_delete_is_not_repeated(service: Service, session: Session) -> None:
    service.on("DELETE", "/instances/1", Reply(cut=True))
    with pytest.raises(Unreachable):
        session.send("DELETE", "/instances/1")
    assert len(service.received) == 1


def test_the_request_id_is_kept(service: Service, session: Session) -> None:
    service.on("POST", "/x", Reply(202, None, {"X-OpenStack-Request-Id": "req-7"}))
    assert session.post("/x") is None
    assert session.request_id == "req-7"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"badRequest": {"code": 400, "message": "size: must be positive"}}, "size: must be"),
        ({"message": "no JSON", "code": "400 Bad Request", "title": "Bad Request"}, "no JSON"),
        ({"error": {"message": "Invalid input", "code": 400}}, "Invalid input"),
        ("<html>oops</html>", "oops"),
        ([1], "Bad Request"),
        ({"a": 1}, "Bad Request"),
        (None, "Bad Request"),
    ],
)
def test_errors_say_what_the_service_said(
    service: Service, session: Session, body: Any, message: str
) -> None:
    service.on("GET", "/x", Reply(400, body, {"X-OpenStack-Request-Id": "req-1"}))
    with pytest.raises(HttpError, match=message) as caught:
        session.get("/x")
    assert (caught.value.code, caught.value.request_id) == (400, "req-1")


def test_a_refused_connection_is_explained(open_session: Callable[..., Session]) -> None:
    session = open_session(retries=0, endpoint="http://127.75.0.1:1/v1.0/p", token="t")
    with pytest.raises(Unreachable, match=r"connection refused.*Check that the service runs"):
        session.get("/instances")


def test_an_unknown_host_is_explained(open_session: Callable[..., Session]) -> None:
    session = open_session(retries=0, endpoint="http://nowhere.invalid/v1.0/p", token="t")
    with pytest.raises(Unreachable, match="there is no such host"):
        session.get("/instances")


def test_tls_with_a_service_that_speaks_none_is_explained(
    service: Service, open_session: Callable[..., Session]
) -> None:
    endpoint = service.endpoint.replace("http", "https")
    with pytest.raises(Unreachable, match="--os-cacert FILE"):
        open_session(retries=0, endpoint=endpoint, token="t").get("/instances")


def test_an_invalid_address_is_rejected(open_session: Callable[..., Session]) -> None:
    with pytest.raises(Misconfigured, match="is not an address"):
        open_session(endpoint="http:///x", token="t").get("/instances")


def test_tls_is_as_the_cloud_says() -> None:
    strict = Http(Cloud(cacert="/ca.pem", cert="/c.pem", key="/k.pem")).pool.connection_pool_kw
    assert strict["cert_reqs"] == "CERT_REQUIRED"
    assert (strict["ca_certs"], strict["cert_file"], strict["key_file"]) == (
        "/ca.pem",
        "/c.pem",
        "/k.pem",
    )
    assert Http(Cloud(insecure="True")).pool.connection_pool_kw["cert_reqs"] == "CERT_NONE"


def test_a_segment_is_one_segment() -> None:
    assert segment("a/b@10.0.0.%") == "a%2Fb%4010%2E0%2E0%2E%25"


class TestTokenCache:
    """Files are private to their owner, and reveal no password."""

    cloud = Cloud(auth_url="http://k", username="alice", password="secret")
    ticket = Ticket("t", "http://e", PROJECT, "2026-01-01T01:00:00+00:00")

    def test_files_are_private_and_name_nothing(self, tmp_path: Path) -> None:
        cache = TokenCache(tmp_path / "cache")
        cache.keep(self.cloud, self.ticket)
        assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
        for path in (tmp_path / "cache").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"secret" not in path.read_bytes()

    @pytest.mark.parametrize(("minute", "found"), [(0, True), (58, True), (59, False)])
    def test_a_token_is_used_until_shortly_before_its_end(
        self, tmp_path: Path, minute: Any, found: Any
    ) -> None:
        cache = TokenCache(tmp_path)
        cache.keep(self.cloud, self.ticket)
        now = datetime(2026, 1, 1, 0, minute, 30, tzinfo=UTC)
        assert (cache.find(self.cloud, now) == self.ticket) is found

    def test_another_password_is_another_token(self, tmp_path: Path) -> None:
        cache = TokenCache(tmp_path)
        cache.keep(self.cloud, self.ticket)
        other = Cloud(auth_url="http://k", username="alice", password="other")
        assert cache.find(other, datetime(2026, 1, 1, tzinfo=UTC)) is None

    def test_a_damaged_file_counts_as_none(self, tmp_path: Path) -> None:
        cache = TokenCache(tmp_path)
        cache.keep(self.cloud, self.ticket)
        for path in tmp_path.glob("token-*"):
            path.write_text("{")
        assert cache.find(self.cloud) is None

    def test_where_nothing_can_be_written_nothing_is_kept(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        cache = TokenCache(tmp_path / "file" / "cache")
        cache.keep(self.cloud, self.ticket)
        cache.forget(self.cloud)
        assert cache.find(self.cloud) is None

    def test_it_is_in_the_cache_directory_of_the_user(self, tmp_path: Path) -> None:
        assert TokenCache.of_user({"XDG_CACHE_HOME": "/c"}).directory.as_posix() == "/c/trove"
        assert TokenCache.of_user({"HOME": "/h"}).directory.as_posix() == "/h/.cache/trove"
