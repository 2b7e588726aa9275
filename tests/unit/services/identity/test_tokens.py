"""Tokens: what they say, how long, and to whom they are given."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.support.identity import PASSWORD, People, proof_of
from trove.errors import Unauthenticated
from trove.models import Project, Token
from trove.services import identity
from trove.services.identity import (
    CredentialProof,
    Identifier,
    NewCredential,
    PasswordProof,
    Scope,
    TokenProof,
)


def test_a_token_says_what_keystone_says(people: People) -> None:
    body = people.issue("alice", "blue").body
    assert len(body.pop("audit_ids")) == 1
    domain = {"id": "default", "name": "Default"}
    assert body == {
        "methods": ["password"],
        "user": {
            "id": people.alice,
            "name": "alice",
            "domain": domain,
            "password_expires_at": None,
        },
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2026-01-01T12:00:00.000000Z",
        "project": {"id": people.blue, "name": "blue", "domain": domain},
        "is_domain": False,
        "roles": [{"id": "admin", "name": "admin"}],
    }


def test_only_its_digest_is_kept(people: People) -> None:
    issued = people.issue("alice")
    with people.installation.database.session() as session:
        row = session.scalars(select(Token)).one()
    assert len(issued.secret) >= 43
    assert issued.secret not in repr(vars(row))
    assert issued.secret not in repr(issued)


def test_it_is_for_the_default_project_unless_another_is_wanted(people: People) -> None:
    assert people.issue("alice").project_id == people.red
    by_id = identity.issue(
        people.installation, proof_of("alice"), Scope(Identifier(id=people.blue))
    )
    assert by_id.project_id == people.blue


def test_it_is_for_none_when_none_is_wanted(people: People) -> None:
    issued = identity.issue(people.installation, proof_of("alice"), Scope())
    assert issued.project_id is None
    assert issued.roles == frozenset()
    assert "project" not in issued.body
    assert identity.validate(people.installation, issued.secret).project_id is None


def test_it_is_for_none_when_the_user_is_nothing_in_the_default_project(people: People) -> None:
    assert people.issue("carol").project_id is None
    frank = identity.create_user(people.installation, "frank", PASSWORD)
    assert people.issue("frank").user_id == frank.id


@pytest.mark.parametrize(
    ("proof", "scope"),
    [
        (proof_of("alice", "wrong password"), None),
        (proof_of("nobody"), None),
        (PasswordProof(Identifier(id="nobody"), PASSWORD), None),
        (proof_of("bob"), Scope(Identifier(name="red"))),
        (proof_of("bob"), Scope(Identifier(name="nowhere"))),
        (TokenProof("no token"), None),
        (CredentialProof(Identifier(id="none"), "secret"), None),
        (CredentialProof(Identifier(name="none"), "secret", Identifier(name="alice")), None),
        (CredentialProof(Identifier(name="none"), "secret", Identifier(name="nobody")), None),
    ],
)
def test_every_refusal_is_the_same(
    people: People, proof: identity.Proof, scope: Scope | None
) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        identity.issue(people.installation, proof, scope)
    assert refusal.value.message == "The request you have made requires authentication."


def test_a_disabled_project_issues_no_token(people: People) -> None:
    token = people.issue("bob", "blue")
    with people.installation.database.begin() as session:
        session.execute(update(Project).where(Project.id == people.blue).values(enabled=False))
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, token.secret)
    with pytest.raises(Unauthenticated):
        people.issue("bob", "blue")


def test_it_ends_by_itself(people: People) -> None:
    issued = people.issue("alice")
    people.clock.advance(hours=12, microseconds=-1)
    assert identity.validate(people.installation, issued.secret).expires_at == issued.expires_at
    people.clock.advance(microseconds=1)
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, issued.secret)


def test_ended_tokens_go_with_the_next_login(people: People) -> None:
    people.issue("alice")
    people.issue("bob")
    people.clock.advance(hours=13)
    people.issue("alice")
    with people.installation.database.session() as session:
        rows = session.scalars(select(Token.user_id)).all()
    assert sorted(rows) == sorted([people.alice, people.bob])


def test_it_can_be_revoked_twice(people: People) -> None:
    issued = people.issue("alice")
    identity.revoke(people.installation, issued.secret)
    identity.revoke(people.installation, issued.secret)
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, issued.secret)


def test_a_token_is_traded_for_one_of_another_project_and_lives_no_longer(people: People) -> None:
    first = people.issue("alice", "red")
    people.clock.advance(hours=1)
    second = identity.issue(
        people.installation, TokenProof(first.secret), Scope(Identifier(name="blue"))
    )
    assert second.project_id == people.blue
    assert second.expires_at == first.expires_at
    assert second.body["methods"] == ["password", "token"]


def test_an_operator_makes_tokens_that_live_long(people: People) -> None:
    issued = identity.issue_static(
        people.installation, people.bob, people.blue, timedelta(days=365)
    )
    people.clock.advance(days=364)
    assert identity.validate(people.installation, issued.secret).roles == {"member"}
    with pytest.raises(Unauthenticated):
        identity.issue_static(people.installation, people.bob, people.red, timedelta(days=1))


def test_a_user_who_knows_the_password_changes_it(people: People) -> None:
    with pytest.raises(Unauthenticated):
        identity.change_password(people.installation, people.alice, "wrong one", "new password")
    identity.change_password(people.installation, people.alice, PASSWORD, "new password")
    assert identity.issue(people.installation, proof_of("alice", "new password"))


def test_a_credential_stands_for_its_user_in_one_project(people: People) -> None:
    made, secret = identity.create_credential(
        people.installation, people.alice, people.blue, NewCredential("script")
    )
    by_id = CredentialProof(Identifier(id=made.id), secret)
    by_name = CredentialProof(Identifier(name="script"), secret, Identifier(id=people.alice))
    for proof in (by_id, by_name):
        issued = identity.issue(people.installation, proof)
        assert (issued.project_id, issued.user_id) == (people.blue, people.alice)
        assert issued.body["application_credential"] == {
            "id": made.id,
            "name": "script",
            "restricted": True,
        }
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, by_id, Scope(Identifier(name="red")))
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, CredentialProof(Identifier(id=made.id), "wrong"))


def test_a_token_of_a_credential_stays_in_its_project(people: People) -> None:
    made, secret = identity.create_credential(
        people.installation, people.alice, people.blue, NewCredential("script")
    )
    first = identity.issue(people.installation, CredentialProof(Identifier(id=made.id), secret))
    again = identity.issue(people.installation, TokenProof(first.secret))
    assert again.project_id == people.blue
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, TokenProof(first.secret), Scope(Identifier(name="red")))
    identity.delete_credential(people.installation, people.alice, made.id)
    for token in (first, again):
        with pytest.raises(Unauthenticated):
            identity.validate(people.installation, token.secret)


def test_a_credential_ends_and_so_do_its_tokens(people: People) -> None:
    ends = people.clock.time + timedelta(hours=1)
    made, secret = identity.create_credential(
        people.installation, people.bob, people.blue, NewCredential("script", expires_at=ends)
    )
    proof = CredentialProof(Identifier(id=made.id), secret)
    assert identity.issue(people.installation, proof).expires_at == ends
    people.clock.advance(hours=1)
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, proof)


def test_a_credential_is_worth_no_more_than_its_user(people: People) -> None:
    identity.grant_role(people.installation, people.bob, people.blue, "reader")
    made, secret = identity.create_credential(
        people.installation, people.bob, people.blue, NewCredential("script", roles=["reader"])
    )
    proof = CredentialProof(Identifier(id=made.id), secret)
    assert identity.issue(people.installation, proof).roles == {"reader"}
    identity.revoke_role(people.installation, people.bob, people.blue, "reader")
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, proof)
