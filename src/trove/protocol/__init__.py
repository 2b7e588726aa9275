"""Every message between conductor and agent: `messages.py`, and the tasks in `tasks.py`."""

from trove.protocol.accounts import Account, Accounts, DatabaseAccount
from trove.protocol.messages import (
    OLDEST_PROTOCOL,
    PROTOCOL,
    CertificateAnswer,
    CertificateRequest,
    EngineState,
    EnrolAnswer,
    EnrolRequest,
    ErrorKind,
    Report,
    SyncAnswer,
    SyncRequest,
    TaskProgress,
    TaskRequest,
    TaskResult,
)

__all__ = [
    "OLDEST_PROTOCOL",
    "PROTOCOL",
    "Account",
    "Accounts",
    "CertificateAnswer",
    "CertificateRequest",
    "DatabaseAccount",
    "EngineState",
    "EnrolAnswer",
    "EnrolRequest",
    "ErrorKind",
    "Report",
    "SyncAnswer",
    "SyncRequest",
    "TaskProgress",
    "TaskRequest",
    "TaskResult",
]
