"""trove-manage, called as an operator calls it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from trove import migrations
from trove.cli import manage
from trove.cli.manage import datastores, unserved
from trove.cli.manage.operator import read_secret
from trove.datastores.base import Installation as Engine
from trove.db import Database, utcnow
from trove.errors import Invalid
from trove.models import ApplicationCredential, Datastore, DatastoreVersion, Token, User
from trove.providers.fake.catalog import NO_IMAGE
from trove.services.identity.passwords import is_right

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, factory = list(root.handlers), root.level, logging.getLogRecordFactory()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)


class Operator:
    """Types commands and reads what they print."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = directory / "trove.conf"
        self.config.write_text(f"[DEFAULT]\nstate_directory={directory}\nprovider=fake\n")
        self.database = Database(f"sqlite:///{directory}/trove.sqlite")
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        code = manage.main(["--config-file", str(self.config), *words])
        shown = self._capsys.readouterr()
        assert (code, shown.err) == (0, "")
        return shown.out.strip()

    def refused(self, *words: str) -> str:
        code = manage.main(["--config-file", str(self.config), *words])
        shown = self._capsys.readouterr()
        assert (code, shown.out) == (1, "")
        return shown.err


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    made = Operator(tmp_path, capsys)
    yield made
    made.database.dispose()


@pytest.fixture
def operator(fresh: Operator) -> Operator:
    fresh("db_sync")
    return fresh


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_the_schema_is_made_and_made_again(fresh: Operator) -> None:
    newest = migrations.newest()
    assert "run `trove-manage db_sync`" in fresh.refused("user_list")
    assert fresh("db_sync") == f"from nothing to {newest}"
    assert fresh("db_upgrade") == f"at {newest} already"


def test_recreating_removes_everything_but_not_by_accident(
    operator: Operator, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    operator("project_create", "shop")
    types("yes\n")
    assert manage.main(["--config-file", str(operator.config), "db_recreate"]) == 1
    assert "not confirmed; nothing was changed" in capsys.readouterr().err
    assert "shop" in operator("project_list")
    types("recreate\n")
    assert "now at" in operator("db_recreate")
    assert "shop" not in operator("project_list")
    assert operator("db_recreate", "--yes").startswith("dropped ")


def test_no_answer_is_no(
    operator: Operator, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    types("")
    code = manage.main(["--config-file", str(operator.config), "db_recreate"])
    assert code == 1
    assert "interrupted; nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["db_sync", "db_recreate"])
def test_an_interrupted_change_is_not_reported_as_none(
    operator: Operator,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(url: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "upgrade", interrupt)
    words = [command, "--yes"] if command == "db_recreate" else [command]
    assert manage.main(["--config-file", str(operator.config), *words]) == 1
    shown = capsys.readouterr().err
    assert f"run `trove-manage {command}` again" in shown
    assert "nothing was changed" not in shown


def test_a_missing_database_is_reported_in_one_line(operator: Operator) -> None:
    operator.config.write_text("[database]\nconnection=postgresql://x@/x?host=/nowhere\n")
    shown = operator.refused("db_sync")
    assert shown.startswith("trove-manage: the metadata database: ")
    assert len(shown.splitlines()) == 1
    assert "be used: " in operator.refused("user_list")


def test_unknown_settings_cause_a_warning(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    with operator.config.open("a") as file:
        file.write("bindport=1\n")
    assert manage.main(["--config-file", str(operator.config), "user_list"]) == 0
    warning = json.loads(capsys.readouterr().err)
    assert "did you mean bind_port?" in warning["message"]


def test_a_password_comes_from_standard_input(
    operator: Operator, types: Callable[[str], None]
) -> None:
    operator("project_create", "shop")
    types(f"{PASSWORD}\n")
    user_id = operator("user_create", "anna", "--project", "shop", "--role", "member")
    with operator.database.session() as session:
        user = session.get_one(User, user_id)
    assert is_right(PASSWORD, user.password_hash)
    types("another password")
    assert operator("user_password", "anna") == ""
    with operator.database.session() as session:
        assert is_right("another password", session.get_one(User, user_id).password_hash)


def test_a_password_that_is_made_is_printed_once(operator: Operator) -> None:
    user_id, shown = operator("user_create", "anna", "--generate").splitlines()
    with operator.database.session() as session:
        user = session.get_one(User, user_id)
    assert is_right(shown.removeprefix("password: "), user.password_hash)


def test_on_a_terminal_a_password_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["one password", "one password", "one password", "another"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert read_secret("Password") == "one password"
    with pytest.raises(Invalid, match="do not match"):
        read_secret("Password")


@pytest.fixture
def anna(operator: Operator) -> str:
    """Anna is a member of the shop; her id."""
    operator("project_create", "shop")
    words = ("user_create", "anna", "--project", "shop", "--role", "member", "--generate")
    return operator(*words).splitlines()[0]


def test_lists_show_what_there_is(operator: Operator, anna: str) -> None:
    assert anna in operator("user_list")
    assert "shop" in operator("project_list")
    assert "exists already" in operator.refused("project_create", "shop")


def test_a_user_whose_role_is_misspelt_is_not_made(operator: Operator, anna: str) -> None:
    words = ("--project", "shop", "--role", "member", "--role", "memebr", "--generate")
    assert "there is no role 'memebr'" in operator.refused("user_create", "bert", *words)
    assert "--project" in operator.refused("user_create", "bert", "--role", "member", "--generate")
    assert "bert" not in operator("user_list")


def test_roles_come_and_go(operator: Operator, anna: str) -> None:
    operator("role_add", "anna", "shop", "admin")
    operator("role_remove", anna, "shop", "admin")
    assert "does not have the role" in operator.refused("role_remove", "anna", "shop", "admin")
    assert "there is no role 'memebr'" in operator.refused("role_add", "anna", "shop", "memebr")
    assert "no user 'bert'" in operator.refused("role_add", "bert", "shop", "admin")
    assert "no project 'bank'" in operator.refused("role_add", "anna", "bank", "admin")


def test_users_are_disabled_and_enabled(operator: Operator, anna: str) -> None:
    for command, enabled in (("user_disable", False), ("user_enable", True)):
        operator(command, "anna")
        with operator.database.session() as session:
            assert session.get_one(User, anna).enabled is enabled


def test_a_token_for_scripts(operator: Operator, anna: str) -> None:
    secret = operator("token_create", "anna", "shop", "--days", "30")
    with operator.database.session() as session:
        token = session.scalars(select(Token)).one()
    assert len(secret) >= 43
    left = token.expires_at - utcnow()
    assert timedelta(days=29) < left <= timedelta(days=30)
    operator("project_create", "bank")
    assert "has no role in 'bank'" in operator.refused("token_create", "anna", "bank")


@pytest.mark.parametrize("days", [(), ("--days", "7")])
def test_a_credential_for_scripts(operator: Operator, anna: str, days: tuple[str, ...]) -> None:
    printed = operator("credential_create", "anna", "shop", "job", "--role", "member", *days)
    shown = dict(line.split(": ") for line in printed.splitlines())
    with operator.database.session() as session:
        made = session.get_one(ApplicationCredential, shown["id"])
    assert is_right(shown["secret"], made.secret_hash)
    assert (made.expires_at is not None) == bool(days)


def test_engines_of_this_machine_are_registered(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Engine("postgresql", "15.20", Path("/pg/15")),
        Engine("mariadb", "10.11.19", Path("/m")),
    ]
    looked: list[list[str]] = []

    def installed(extra: list[str]) -> list[Engine]:
        looked.append(extra)
        return found

    monkeypatch.setattr(datastores, "installed_engines", installed)
    shown = operator("datastore_discover", "--path", "/opt/pg")
    assert looked == [["/opt/pg"]]
    assert "15.20" in shown
    assert "10.11.19" in shown
    assert operator("datastore_discover") == shown
    found.clear()
    assert "no engine was found" in operator.refused("datastore_discover")


def version_of(operator: Operator, name: str) -> DatastoreVersion:
    with operator.database.session() as session:
        return session.scalars(select(DatastoreVersion).where(DatastoreVersion.name == name)).one()


def test_a_version_is_made_and_changed(operator: Operator) -> None:
    words = ("datastore_version_update", "pg", "15", "postgresql", "/pg/15", "a,b", "1")
    assert operator(*words, "--version", "15.20").endswith("made")
    made = version_of(operator, "15")
    assert (made.number, made.packages, made.active) == ("15.20", ["a", "b"], True)
    again = ("datastore_version_update", "pg", "15", "postgresql", "", "", "0")
    assert operator(*again, "--image-tags", "trove, pg").endswith("changed")
    made = version_of(operator, "15")
    assert (made.image, made.packages, made.active) == ("/pg/15", [], False)
    assert made.image_tags == ["trove", "pg"]
    wrong = ("datastore_version_update", "pg", "16", "oracle", "/x", "", "1")
    assert "No datastore manager is called 'oracle'" in operator.refused(*wrong)
    absent = ("datastore_version_update", "pg", "16", "postgresql", NO_IMAGE, "", "1")
    assert "image: there is no image" in operator.refused(*absent)


def test_a_datastore_is_made_and_its_default_chosen(operator: Operator) -> None:
    operator("datastore_update", "pg", "")
    operator("datastore_version_update", "pg", "15", "postgresql", "/pg/15", "", "1")
    operator("datastore_update", "pg", "15")
    with operator.database.session() as session:
        datastore = session.scalars(select(Datastore)).one()
    assert datastore.default_version_id == version_of(operator, "15").id
    assert "'99' could not be found" in operator.refused("datastore_update", "pg", "99")


@pytest.mark.parametrize(
    "words",
    [
        ("db_load_datastore_config_parameters", "pg", "15", "rules.json"),
        ("db_remove_datastore_config_parameters", "pg", "15"),
        ("datastore_version_flavor_add", "pg", "15", "1"),
        ("datastore_version_flavor_delete", "pg", "15", "1"),
        ("datastore_version_volume_type_add", "pg", "15", "fast"),
        ("datastore_version_volume_type_delete", "pg", "15", "fast"),
        ("datastore_version_volume_type_list", "pg", "15"),
    ],
)
def test_what_is_not_served_says_so(operator: Operator, words: tuple[str, ...]) -> None:
    assert f"{words[0]} is not served by this release. " in operator.refused(*words)


def test_help_lists_what_works(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        manage.main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"    {command.name}" in shown for command in manage.COMMANDS)
    assert not [name for name in unserved.REASONS if name in shown]


def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in manage.COMMANDS:
        with pytest.raises(SystemExit) as end:
            manage.main([command.name, "--help"])
        assert end.value.code == 0
        assert f"example:\n  {command.example}\n" in capsys.readouterr().out


def test_wrong_arguments_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        manage.main(["user_crate"])
    assert end.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
