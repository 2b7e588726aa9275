"""Projects by name, as the identity service knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import PROJECT, Reply, Service
from trove.client.errors import Ambiguous, HttpError
from trove.client.projects import find_project
from trove.client.session import Session

OTHER = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def session_of(service: Service, open_session: Callable[..., Session]) -> Callable[..., Session]:
    """A session with an identity service that lists these projects."""

    def session_of(*found: Any, status: int = 200, **fields: Any) -> Session:
        service.knows_identity()
        service.on("GET", "/v3/projects", Reply(status, {"projects": list(found)}))
        return open_session(**fields)

    return session_of


def test_a_name_is_looked_up(service: Service, session_of: Callable[..., Session]) -> None:
    session = session_of({"id": OTHER, "name": "shop"})
    assert find_project(session, "shop") == OTHER
    last = service.received[-1]
    assert (last.path, last.query) == ("/v3/projects", {"name": "shop"})
    assert last.headers["x-auth-token"] == "a-token"


@pytest.mark.parametrize("wanted", [OTHER, "11111111-1111-4111-8111-111111111111", OTHER * 2])
def test_an_id_is_not_looked_up(
    service: Service, session_of: Callable[..., Session], wanted: str
) -> None:
    assert find_project(session_of(), wanted) == wanted
    assert service.received == []


def test_without_an_identity_service_whatever_is_given_is_an_id(
    service: Service, session: Session
) -> None:
    assert find_project(session, "p") == "p"
    assert service.received == []


@pytest.mark.parametrize("status", [200, 401, 403, 404])
@pytest.mark.parametrize("cached", [False, True])
def test_every_user_may_name_their_own_project(
    session_of: Callable[..., Session], status: int, cached: bool
) -> None:
    session = session_of(status=status, cache=cached)
    assert find_project(session, "demo") == PROJECT


def test_a_service_that_does_not_filter(session_of: Callable[..., Session]) -> None:
    session = session_of({"id": OTHER, "name": "shop"})
    assert find_project(session, "demo") == PROJECT


def test_an_unknown_name_is_an_error(session_of: Callable[..., Session]) -> None:
    with pytest.raises(HttpError, match=r"no project with the name or id 'xyz'.*\(HTTP 404\)"):
        find_project(session_of(), "xyz")


def test_a_name_in_two_domains_is_an_error_that_lists_them(
    session_of: Callable[..., Session],
) -> None:
    found = [{"id": str(n), "name": "shop", "domain_id": f"d{n}"} for n in (1, 2)]
    with pytest.raises(Ambiguous, match=r"2 projects have the name 'shop'(.|\n)*1  d1\n  2  d2"):
        find_project(session_of(*found), "shop")


def test_other_refusals_stand(session_of: Callable[..., Session]) -> None:
    with pytest.raises(HttpError, match="HTTP 500"):
        find_project(session_of(status=500), "demo")
