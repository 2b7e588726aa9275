"""An installation with two projects and three users, for tests of who may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet

from trove.db import Database
from trove.providers.base import Scope
from trove.services import identity
from trove.services.installation import Installation
from trove.settings import ApiSettings, Settings
from trove.testing import ManualClock
from trove.vault import Vault

PASSWORD = "correct horse battery"


class NoCatalog:
    """An infrastructure that offers nothing."""

    def within(self, scope: Scope) -> NoCatalog:
        return self

    def flavors(self) -> list[Any]:
        return []

    def volume_types(self) -> list[Any]:
        return []

    def availability_zones(self) -> list[str]:
        return []

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> None:
        """Every network is as good as any."""

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """Any will do."""


@dataclass(frozen=True)
class People:
    """Alice is a member of Red and administrates Blue, Bob is a member of Blue, Carol nothing."""

    installation: Installation
    clock: ManualClock
    red: str
    blue: str
    alice: str
    bob: str
    carol: str

    def issue(self, name: str = "alice", project: str | None = None) -> identity.IssuedToken:
        """A token got by password; without a project, for the user's default one."""
        scope = identity.Scope(identity.Identifier(name=project)) if project else None
        return identity.issue(self.installation, proof_of(name), scope)


def proof_of(name: str, password: str = PASSWORD) -> identity.PasswordProof:
    return identity.PasswordProof(identity.Identifier(name=name), password)


def people_in(database: Database, **api: Any) -> People:
    """Fill an empty metadata database with people."""
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    settings = replace(Settings(), api=ApiSettings(**api))
    installation = Installation(
        settings, database, Vault(Fernet.generate_key()), NoCatalog(), clock=clock
    )
    red = identity.create_project(installation, "red").id
    blue = identity.create_project(installation, "blue").id
    alice = identity.create_user(installation, "alice", PASSWORD, default_project_id=red).id
    bob = identity.create_user(installation, "bob", PASSWORD, default_project_id=blue).id
    carol = identity.create_user(installation, "carol", PASSWORD, default_project_id=blue).id
    for user, project, role in (
        (alice, red, "member"),
        (alice, blue, "admin"),
        (bob, blue, "member"),
    ):
        identity.grant_role(installation, user, project, role)
    return People(installation, clock, red, blue, alice, bob, carol)
