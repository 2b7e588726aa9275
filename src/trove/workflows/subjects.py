"""The kinds of subjects that operations have."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trove.engine import Kind, Operation
from trove.models.instance import Instance


def _load_instance(session: Session, instance_id: str) -> Instance:
    return session.get_one(Instance, instance_id)


def _remember(instance: Instance, operation: Operation) -> None:
    """The status of an instance is derived from its newest operation."""
    instance.last_operation_id = operation.id


INSTANCE: Kind[Instance] = Kind("instance", _load_instance, _remember)
