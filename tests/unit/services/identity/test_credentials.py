"""Application credentials."""

from datetime import timedelta

import pytest

from tests.support.identity import People
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.models import ApplicationCredential
from trove.services import identity
from trove.services.identity import NewCredential


def make(people: People, **fields: object) -> tuple[ApplicationCredential, str]:
    wanted = NewCredential(**({"name": "script"} | fields))  # type: ignore[arg-type]
    return identity.create_credential(people.installation, people.alice, people.red, wanted)


def test_it_has_the_roles_of_its_user_and_a_random_secret(people: People) -> None:
    made, secret = make(people, description="for the nightly job")
    assert made.roles == ["member"]
    assert len(secret) >= 43
    assert secret not in made.secret_hash
    found = identity.list_credentials(people.installation, people.alice)
    assert [row.description for row in found] == ["for the nightly job"]
    assert identity.list_credentials(people.installation, people.bob) == []


def test_the_secret_may_be_chosen(people: People) -> None:
    assert make(people, secret="a chosen secret")[1] == "a chosen secret"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "name: must have 1 to 255"),
        ({"name": "x" * 256}, "name: must have 1 to 255"),
        ({"description": "x" * 256}, "description: must have at most 255"),
        ({"secret": "short"}, "secret: must have at least 8"),
        ({"roles": ["admin", "king"]}, "roles: you do not have admin, king here"),
    ],
)
def test_what_is_wrong_is_named(people: People, fields: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        make(people, **fields)
    assert identity.list_credentials(people.installation, people.alice) == []


def test_it_does_not_end_before_it_begins(people: People) -> None:
    with pytest.raises(Invalid, match="expires_at: must lie in the future"):
        make(people, expires_at=people.clock.time)
    assert make(people, expires_at=people.clock.time + timedelta(seconds=1))


def test_who_is_nothing_in_a_project_gets_none(people: People) -> None:
    with pytest.raises(Invalid, match="no role in this project"):
        identity.create_credential(
            people.installation, people.carol, people.red, NewCredential("script")
        )


def test_it_is_worth_no_more_than_the_token_by_which_it_is_made(people: People) -> None:
    installation, alice, red = people.installation, people.alice, people.red
    with pytest.raises(Invalid, match="roles: you do not have member here"):
        identity.create_credential(
            installation, alice, red, NewCredential("a", roles=["member"]), within=["reader"]
        )
    with pytest.raises(Invalid, match="no role in this project"):
        identity.create_credential(installation, alice, red, NewCredential("b"), within=["reader"])


def test_names_are_unique_for_a_user(people: People) -> None:
    make(people)
    with pytest.raises(AlreadyExists, match="'script'"):
        make(people)


def test_only_its_user_takes_it_back(people: People) -> None:
    made, _ = make(people)
    with pytest.raises(NotFound):
        identity.delete_credential(people.installation, people.bob, made.id)
    identity.delete_credential(people.installation, people.alice, made.id)
    with pytest.raises(NotFound):
        identity.delete_credential(people.installation, people.alice, made.id)
