"""The engine's superuser: locked out unless the owner of the instance lets him in."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

from trove.datastores.parts import Part
from trove.errors import NotFound
from trove.protocol import TaskKind
from trove.services.account_rules import check_password
from trove.services.changes import find, note
from trove.services.installation import Caller, Installation
from trove.services.running_engine import answer_of, order_task, running_engine

PASSWORD_LETTERS = string.ascii_letters + string.digits
PASSWORD_LENGTH = 36


@dataclass(frozen=True)
class RootUser:
    """The engine's superuser, as it may now log in."""

    name: str
    password: str


def is_enabled(inst: Installation, caller: Caller, instance_id: str) -> bool:
    """Whether root was ever enabled, as Trove has always answered this."""
    with inst.database.session() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        return engine.row.root_enabled_at is not None or engine.accounts.root_enabled


def enable(
    inst: Installation, caller: Caller, instance_id: str, password: str | None = None
) -> RootUser:
    """Let the superuser in with this password, or a random one; raises Invalid, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        if password is not None:
            check_password(engine.manifest, password, "password")
        chosen = password if password is not None else _new_password()
        task_id = order_task(inst, caller, engine, TaskKind.ENABLE_ROOT, {"password": chosen})
        note(caller, session, engine.row, "root.enable")
        name = engine.manifest.root_name
    answer = answer_of(inst, task_id)
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        row.root_enabled_at, row.root_enabled_by = inst.clock.now(session), caller.user_id
    return RootUser(str(answer.get("name") or name), chosen)


def disable(inst: Installation, caller: Caller, instance_id: str) -> None:
    """Lock the superuser out again; raises NotFound when root was never enabled, NotReady."""
    with inst.database.begin() as session:
        engine = running_engine(inst, session, caller, instance_id, Part.ROOT)
        if engine.row.root_enabled_at is None and not engine.accounts.root_enabled:
            raise NotFound(f"Root was never enabled on instance {instance_id}.")
        task_id = order_task(inst, caller, engine, TaskKind.DISABLE_ROOT, {})
        note(caller, session, engine.row, "root.disable")
    answer_of(inst, task_id)


def _new_password() -> str:
    return "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))
