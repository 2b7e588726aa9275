"""Users, projects and roles."""

import pytest

from tests.support.identity import PASSWORD, People, people_in
from trove.db import Database
from trove.errors import AlreadyExists, Invalid, NotFound, Unauthenticated
from trove.models import User
from trove.services import identity
from trove.services.identity import Identifier


def test_names_are_unique(people: People) -> None:
    with pytest.raises(AlreadyExists, match="name: a project called 'red'"):
        identity.create_project(people.installation, "red")
    with pytest.raises(AlreadyExists, match="name: a user called 'alice'"):
        identity.create_user(people.installation, "alice", PASSWORD)


@pytest.mark.parametrize("name", ["", "  ", "x" * 256])
def test_names_have_a_length(people: People, name: str) -> None:
    with pytest.raises(Invalid, match="name: must have 1 to 255"):
        identity.create_project(people.installation, name)


@pytest.mark.parametrize("password", ["short", "x" * 4097])
def test_passwords_have_a_length(people: People, password: str) -> None:
    with pytest.raises(Invalid, match="password: must have 8 to 4096"):
        identity.create_user(people.installation, "dave", password)


def test_passwords_are_kept_as_argon2_hashes(people: People) -> None:
    with people.installation.database.session() as session:
        kept = session.get_one(User, people.alice).password_hash
    assert kept.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert PASSWORD not in kept


def test_a_new_password_is_random_and_long_enough() -> None:
    assert identity.new_password() != identity.new_password()
    assert len(identity.new_password()) >= 20


def test_a_new_password_ends_the_old_one_and_every_token(people: People) -> None:
    token = people.issue("alice")
    others = people.issue("bob")
    identity.set_password(people.installation, people.alice, "another password")
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, token.secret)
    with pytest.raises(Unauthenticated):
        people.issue("alice")
    assert identity.validate(people.installation, others.secret).user_id == people.bob


def test_who_is_disabled_can_do_nothing(people: People) -> None:
    token = people.issue("alice")
    identity.set_user_enabled(people.installation, people.alice, False)
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, token.secret)
    with pytest.raises(Unauthenticated):
        people.issue("alice")
    identity.set_user_enabled(people.installation, people.alice, True)
    assert people.issue("alice").user_id == people.alice


def test_a_role_is_granted_once_and_taken_once(people: People) -> None:
    identity.grant_role(people.installation, people.alice, people.red, "member")
    identity.revoke_role(people.installation, people.alice, people.red, "member")
    with pytest.raises(NotFound, match="'member'"):
        identity.revoke_role(people.installation, people.alice, people.red, "member")


def test_a_lost_role_ends_the_tokens_of_that_project_alone(people: People) -> None:
    red, blue = people.issue("alice", "red"), people.issue("alice", "blue")
    identity.revoke_role(people.installation, people.alice, people.red, "member")
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, red.secret)
    assert identity.validate(people.installation, blue.secret).project_id == people.blue


@pytest.mark.parametrize("role", ["", "memebr", "Admin", "boss"])
def test_a_role_that_nothing_requires_is_refused(people: People, role: str) -> None:
    message = f"^role: there is no role '{role}'; there are: admin, member, reader$"
    with pytest.raises(Invalid, match=message):
        identity.grant_role(people.installation, people.alice, people.red, role)


def test_the_settings_may_have_a_role_of_their_own(sqlite_database: Database) -> None:
    people = people_in(sqlite_database, admin_roles=("admin", "boss"))
    identity.grant_role(people.installation, people.alice, people.red, "boss")
    assert people.issue("alice").roles == {"boss", "member"}
    with pytest.raises(Invalid, match="there are: admin, member, reader, boss$"):
        identity.grant_role(people.installation, people.alice, people.red, "bos")


def test_lists_are_by_name(people: People) -> None:
    assert [p.name for p in identity.list_projects(people.installation)] == ["blue", "red"]
    mine = identity.list_projects(people.installation, user_id=people.bob)
    assert [p.name for p in mine] == ["blue"]
    assert [u.name for u in identity.list_users(people.installation)] == ["alice", "bob", "carol"]


def test_things_are_found_by_id_or_name(people: People) -> None:
    with people.installation.database.session() as session:
        for identifier in (Identifier(id=people.red), Identifier(name="red")):
            found = identity.project_of(session, identifier)
            assert found and found.name == "red"
        assert identity.user_of(session, Identifier(name="nobody")) is None
    assert (str(Identifier(id="1")), str(Identifier(name="n")), str(Identifier())) == ("1", "n", "")


@pytest.mark.engine
def test_every_database_keeps_it(database: Database) -> None:
    """The whole of it once on each of the three databases."""
    people = people_in(database)
    token = people.issue("alice", "blue")
    assert identity.validate(people.installation, token.secret).roles == {"admin"}
    with pytest.raises(Unauthenticated):
        identity.issue(
            people.installation,
            identity.PasswordProof(Identifier(name="alice"), "wrong password"),
        )
    wanted = identity.NewCredential("script")
    made, secret = identity.create_credential(people.installation, people.bob, people.blue, wanted)
    proof = identity.CredentialProof(Identifier(id=made.id), secret)
    issued = identity.issue(people.installation, proof)
    identity.delete_credential(people.installation, people.bob, made.id)
    with pytest.raises(Unauthenticated):
        identity.validate(people.installation, issued.secret)
    with pytest.raises(AlreadyExists):
        identity.create_user(people.installation, "alice", PASSWORD)
