"""The built-in identity, for installations without Keystone.

`directory.py` knows users, projects and roles, `credentials.py` application credentials,
`passwords.py` hashes, `throttle.py` slows guessing down, `proofs.py` verifies who logs in,
`tokens.py` issues and checks tokens.
Law: answers do not reveal which users exist: every wrong login gets the same answer after the same
time.
"""

from trove.services.identity.credentials import (
    NewCredential,
    create_credential,
    delete_credential,
    list_credentials,
)
from trove.services.identity.directory import (
    DOMAIN_ID,
    DOMAIN_NAME,
    ROLES,
    Identifier,
    check_role,
    create_project,
    create_user,
    grant_role,
    list_projects,
    list_users,
    new_password,
    project_of,
    revoke_role,
    roles_of,
    set_password,
    set_user_enabled,
    user_of,
)
from trove.services.identity.proofs import CredentialProof, PasswordProof, Proof, TokenProof
from trove.services.identity.tokens import (
    IssuedToken,
    Scope,
    change_password,
    issue,
    issue_static,
    revoke,
    validate,
)

__all__ = [
    "DOMAIN_ID",
    "DOMAIN_NAME",
    "ROLES",
    "CredentialProof",
    "Identifier",
    "IssuedToken",
    "NewCredential",
    "PasswordProof",
    "Proof",
    "Scope",
    "TokenProof",
    "change_password",
    "check_role",
    "create_credential",
    "create_project",
    "create_user",
    "delete_credential",
    "grant_role",
    "issue",
    "issue_static",
    "list_credentials",
    "list_projects",
    "list_users",
    "new_password",
    "project_of",
    "revoke",
    "revoke_role",
    "roles_of",
    "set_password",
    "set_user_enabled",
    "user_of",
    "validate",
]
