"""How one signs in, and which endpoint is taken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import PROJECT, Reply, Service
from trove.client.cloud import Cloud
from trove.client.errors import HttpError, Misconfigured
from trove.client.http import Http
from trove.client.identity import (
    endpoint_in,
    identity_url,
    request_of,
    sign_in,
    static_ticket,
    uses_identity,
    with_project,
)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://k:5000", "http://k:5000/v3"),
        ("http://k/identity/v3/", "http://k/identity/v3"),
        ("http://k/v2.0", "http://k/v3"),
    ],
)
def test_any_root_of_the_identity_service_is_accepted(given: str, used: str) -> None:
    assert identity_url(given) == used


def test_an_endpoint_without_the_project_gets_it() -> None:
    assert with_project("http://t/v1.0/", "p") == "http://t/v1.0/p"
    assert with_project("http://t/v1.0/p", "p") == "http://t/v1.0/p"


def test_a_token_is_scoped_again() -> None:
    assert request_of(Cloud(token="t", project_id="p")) == {
        "identity": {"methods": ["token"], "token": {"id": "t"}},
        "scope": {"project": {"id": "p"}},
    }


def test_an_application_credential_by_id_has_no_scope() -> None:
    cloud = Cloud(application_credential_id="a", application_credential_secret="s")
    assert request_of(cloud) == {
        "identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": "a", "secret": "s"},
        }
    }


def test_an_application_credential_by_name_says_whose_it_is() -> None:
    cloud = Cloud(
        auth_type="v3applicationcredential",
        application_credential_name="n",
        application_credential_secret="s",
        username="alice",
        user_domain_name="corp",
    )
    credential = request_of(cloud)["identity"]["application_credential"]
    assert credential == {
        "secret": "s",
        "name": "n",
        "user": {"name": "alice", "domain": {"name": "corp"}},
    }


def test_domains_by_id_and_users_by_id() -> None:
    cloud = Cloud(user_id="u", password="p", project_name="n", project_domain_id="d")
    assert request_of(cloud) == {
        "identity": {"methods": ["password"], "password": {"user": {"id": "u", "password": "p"}}},
        "scope": {"project": {"name": "n", "domain": {"id": "d"}}},
    }


@pytest.mark.parametrize(
    ("cloud", "message"),
    [(Cloud(username="a"), "OS_PASSWORD"), (Cloud(password="p"), "OS_USERNAME")],
)
def test_what_is_missing_is_named(cloud: Cloud, message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        request_of(cloud)


@pytest.mark.parametrize(
    ("cloud", "uses"),
    [
        (Cloud(auth_url="k", token="t", endpoint="e"), False),
        (Cloud(auth_url="k", token="t"), True),
        (Cloud(auth_url="k", auth_type="none", endpoint="e"), False),
        (Cloud(endpoint="e"), False),
        (Cloud(auth_url="k", password="p", endpoint="e"), True),
    ],
)
def test_when_the_identity_service_is_used(cloud: Cloud, uses: bool) -> None:
    assert uses_identity(cloud) is uses


def test_a_token_alone_is_not_enough() -> None:
    with pytest.raises(Misconfigured, match="--os-endpoint"):
        static_ticket(Cloud(token="t"))


class TestCatalog:
    """The endpoint of the wanted service, interface and region."""

    def token(self, service: Service) -> dict[str, Any]:
        return service.token("2999-01-01T00:00:00Z")

    def test_the_public_one_by_default(self, service: Service) -> None:
        assert endpoint_in(self.token(service), Cloud()) == service.endpoint

    def test_an_interface_may_be_called_url(self, service: Service) -> None:
        cloud = Cloud(interface="internalURL", region_name="RegionOne", service_name="trove")
        assert endpoint_in(self.token(service), cloud) == service.url

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"region_name": "Mars"}, "there is one in: RegionOne"),
            ({"interface": "admin"}, "no admin endpoint"),
            ({"service_name": "other"}, "no public endpoint of the type 'database'"),
        ],
    )
    def test_the_error_names_the_alternatives(
        self, service: Service, fields: Any, message: str
    ) -> None:
        with pytest.raises(Misconfigured, match=message):
            endpoint_in(self.token(service), Cloud(**fields))

    def test_a_token_without_a_project_is_explained(self) -> None:
        with pytest.raises(Misconfigured, match="OS_PROJECT_NAME"):
            endpoint_in({}, Cloud())


class TestSigningIn:
    """Against a real answer."""

    def test_a_given_endpoint_takes_precedence_over_the_catalog(self, service: Service) -> None:
        service.knows_identity("t")
        cloud = Cloud(auth_url=service.url, user_id="u", password="p", endpoint="http://e/v1.0")
        http = Http(cloud)
        assert sign_in(http, cloud).endpoint == f"http://e/v1.0/{PROJECT}"
        http.close()

    @pytest.mark.parametrize(
        ("status", "message"),
        [(401, "rejects alice"), (500, "identity service at .* says: oops")],
    )
    def test_refusals_are_explained(self, service: Service, status: int, message: str) -> None:
        service.on("POST", "/v3/auth/tokens", Reply(status, {"error": {"message": "oops"}}))
        cloud = Cloud(auth_url=service.url, username="alice", password="p")
        http = Http(cloud)
        with pytest.raises(HttpError, match=message):
            sign_in(http, cloud)
        http.close()
