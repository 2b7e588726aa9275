"""The engine's superuser: disabled until the owner of the instance enables it."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

from trove.datastores.parts import Part
from trove.errors import NotFound
from trove.protocol.tasks import DisableRoot, EnableRoot
from trove.services.account_rules import check_password
from trove.services.changes import find
from trove.services.installation import Caller, Installation
from trove.services.running_engine import dispatch_task, result_from, running_engine

PASSWORD_LETTERS = string.ascii_letters + string.digits
PASSWORD_LENGTH = 36


@dataclass(frozen=True)
class RootUser:
    """The engine's superuser, as it may now log in."""

    name: str
    password: str


def is_enabled(inst: Installation, caller: Caller, instance_id: str) -> bool:
    """Whether root can log in now; that it once could is in events, and in the row."""
    with inst.database.session() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        return engine.accounts.root_enabled


def enable(
    inst: Installation, caller: Caller, instance_id: str, password: str | None = None
) -> RootUser:
    """Enable the superuser with this password, or a random one; raises Invalid, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        if password is not None:
            check_password(engine.manifest, password, "password")
        chosen = password if password is not None else _new_password()
        dispatched = dispatch_task(inst, caller, engine, EnableRoot(chosen))
        name = engine.manifest.root_name
    enabled = result_from(inst, dispatched)
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        row.root_enabled_at, row.root_enabled_by = inst.clock.now(session), caller.user_id
    return RootUser(enabled.name or name, chosen)


def disable(inst: Installation, caller: Caller, instance_id: str) -> None:
    """Disable the superuser again; raises NotFound when root is not enabled, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        if not engine.accounts.root_enabled:
            raise NotFound(f"Root is not enabled on instance {instance_id}.")
        dispatched = dispatch_task(inst, caller, engine, DisableRoot())
    result_from(inst, dispatched)


def _new_password() -> str:
    return "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))
