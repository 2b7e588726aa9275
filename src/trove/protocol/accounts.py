"""Databases and users, as tasks, results and reports describe them."""

from __future__ import annotations

import msgspec


class DatabaseAccount(msgspec.Struct, omit_defaults=True):
    """A database in an engine."""

    name: str
    character_set: str | None = None
    collate: str | None = None


class Account(msgspec.Struct, omit_defaults=True):
    """A user in an engine; the password travels to the agent only, never back."""

    name: str
    host: str | None = None
    # msgspec gives each struct a list of its own.
    databases: list[str] = []
    password: str | None = None


class Accounts(msgspec.Struct):
    """Every database and user that tenants may see."""

    databases: list[DatabaseAccount] = []
    users: list[Account] = []
    root_enabled: bool = False
