"""Databases, users and root."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Struct
from pydantic import Field, model_validator

from trove.api.answers import Links
from trove.api.resources.fields import Lenient, Name, Password, Strict, Text
from trove.protocol import Account, DatabaseAccount
from trove.services.account_rules import ANY_HOST

MOST = 100
Many = Field(min_length=1, max_length=MOST)


class DatabaseRef(Lenient):
    name: Name


class DatabaseIn(Lenient):
    name: Name
    character_set: Text | None = None
    collate: Text | None = None


class UserIn(Lenient):
    name: Name
    password: Password
    host: Text | None = None
    # Objects, not names: python-troveclient sends `{"name": ..}` for each.
    databases: list[DatabaseRef] = Field(default_factory=list, max_length=MOST)


class DatabasesIn(Lenient):
    """`{"database": {..}}` is what one client sends."""

    databases: Annotated[list[DatabaseIn], Many]

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return _listed(value, "databases", "database")


class UsersIn(Lenient):
    """`{"users": {..}}` is what one client sends."""

    users: Annotated[list[UserIn], Many]

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return _listed(value, "users", "user")


class GrantIn(Lenient):
    databases: Annotated[list[DatabaseRef], Many]


# Strict: a misspelt key would be a change that is accepted and never made.
class UserChangeIn(Strict):
    name: Name | None = None
    password: Password | None = None
    host: Annotated[Text, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> UserChangeIn:
        if not self.model_fields_set:
            raise ValueError("name, password or host is required")
        return self


class UserUpdate(Lenient):
    user: UserChangeIn


class RootEnable(Lenient):
    password: Password | None = None


class NameShown(Struct):
    name: str


class DatabasesAnswer(Struct):
    databases: list[NameShown]
    links: Links = UNSET
    databases_links: Links = UNSET


class UserShown(Struct):
    name: str
    host: str
    databases: list[NameShown]


class UserAnswer(Struct):
    user: UserShown


class UsersAnswer(Struct):
    users: list[UserShown]
    links: Links = UNSET
    users_links: Links = UNSET


class RootEnabledAnswer(Struct):
    rootEnabled: bool


class RootUserShown(Struct):
    name: str
    password: str


class RootUserAnswer(Struct):
    user: RootUserShown


def databases_of(given: list[DatabaseIn]) -> list[DatabaseAccount]:
    return [DatabaseAccount(d.name, d.character_set, d.collate) for d in given]


def users_of(given: list[UserIn]) -> list[Account]:
    return [
        Account(
            name=u.name,
            host=u.host,
            databases=[database.name for database in u.databases],
            password=u.password,
        )
        for u in given
    ]


def shown_user(account: Account) -> UserShown:
    databases = [NameShown(name) for name in account.databases]
    return UserShown(account.name, account.host or ANY_HOST, databases)


def _listed(value: Any, many: str, one: str) -> Any:
    if not isinstance(value, dict):
        return value
    # openstacksdk: create_database sends `database`, create_user an object under `users`.
    found = value.get(many, value.get(one))
    return value | {many: [found]} if isinstance(found, dict) else value
