"""Tables and their rules. Importing this package registers every table."""

from trove.engine.operation import Operation
from trove.models.agent import Agent
from trove.models.datastore import Datastore, DatastoreVersion
from trove.models.event import Event
from trove.models.idempotency import IdempotentRequest
from trove.models.identity import (
    ApplicationCredential,
    LoginFailure,
    Project,
    RoleAssignment,
    Token,
    User,
)
from trove.models.instance import Instance
from trove.models.quota import Quota, QuotaUsage
from trove.models.task import Task

__all__ = [
    "Agent",
    "ApplicationCredential",
    "Datastore",
    "DatastoreVersion",
    "Event",
    "IdempotentRequest",
    "Instance",
    "LoginFailure",
    "Operation",
    "Project",
    "Quota",
    "QuotaUsage",
    "RoleAssignment",
    "Task",
    "Token",
    "User",
]
