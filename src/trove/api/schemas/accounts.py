"""Requests that make and change databases, users and root."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from trove.api.schemas.fields import Lenient, Name, Password, Strict, Text

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
    # Objects, not names: troveclient sends `{"name": ..}` for each, as it does for databases.
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


# Strict, for a misspelt key would be a change that is accepted and never made.
class UserChangeIn(Strict):
    name: Name | None = None
    password: Password | None = None
    host: Annotated[Text, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> UserChangeIn:
        if not self.model_fields_set:
            raise ValueError("name, password or host is needed")
        return self


class UserUpdate(Lenient):
    user: UserChangeIn


class RootEnable(Lenient):
    password: Password | None = None


def _listed(value: Any, many: str, one: str) -> Any:
    if not isinstance(value, dict):
        return value
    # openstacksdk: create_database sends `database`, create_user an object under `users`.
    found = value.get(many, value.get(one))
    return value | {many: [found]} if isinstance(found, dict) else value
