"""Projects by name, as the identity service knows them."""

from __future__ import annotations

import pytest

from tests.support.service import PROJECT, Reply
from trove.client.errors import Ambiguous, HttpError
from trove.client.projects import find_project

OTHER = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def asking(service, open_session):
    """A session with an identity service that lists these projects."""

    def asking(*found, status=200, **fields):
        service.knows_identity()
        service.on("GET", "/v3/projects", Reply(status, {"projects": list(found)}))
        return open_session(**fields)

    return asking


def test_a_name_is_looked_up(service, asking):
    session = asking({"id": OTHER, "name": "shop"})
    assert find_project(session, "shop") == OTHER
    last = service.asked[-1]
    assert (last.path, last.query) == ("/v3/projects", {"name": "shop"})
    assert last.headers["x-auth-token"] == "a-token"


@pytest.mark.parametrize("wanted", [OTHER, "11111111-1111-4111-8111-111111111111", OTHER * 2])
def test_an_id_is_believed(service, asking, wanted):
    assert find_project(asking(), wanted) == wanted
    assert service.asked == []


def test_without_an_identity_service_whatever_is_given_is_an_id(service, session):
    assert find_project(session, "p") == "p"
    assert service.asked == []


@pytest.mark.parametrize("status", [200, 401, 403, 404])
@pytest.mark.parametrize("cached", [False, True])
def test_the_own_project_is_known_to_everybody(asking, status, cached):
    session = asking(status=status, cache=cached)
    assert find_project(session, "demo") == PROJECT


def test_a_service_that_does_not_filter(asking):
    session = asking({"id": OTHER, "name": "shop"})
    assert find_project(session, "demo") == PROJECT


def test_an_unknown_name_is_an_error(asking):
    with pytest.raises(HttpError, match=r"no project with the name or id 'xyz'.*\(HTTP 404\)"):
        find_project(asking(), "xyz")


def test_a_name_in_two_domains_is_an_error_that_lists_them(asking):
    found = [{"id": str(n), "name": "shop", "domain_id": f"d{n}"} for n in (1, 2)]
    with pytest.raises(Ambiguous, match=r"2 projects have the name 'shop'(.|\n)*1  d1\n  2  d2"):
        find_project(asking(*found), "shop")


def test_other_refusals_stand(asking):
    with pytest.raises(HttpError, match="HTTP 500"):
        find_project(asking(status=500), "demo")
