"""Who may do what: one table, read top to bottom.

| who      | means                                                                          |
|----------|--------------------------------------------------------------------------------|
| EVERYONE | every authenticated caller                                                     |
| READ     | everyone in the project that owns it, or an administrator                      |
| WRITE    | the same, except callers whose only role is `reader`                           |
| ADMIN    | administrators; others get 403                                                 |
| MGMT     | administrators; others get 401, as clients of `/mgmt` expect                   |

That a resource belongs to the caller's project is ensured by the services, which find no others.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from trove.api.errors import AdminOnly
from trove.errors import Forbidden
from trove.services.installation import Caller

# One of Keystone's default roles. Any other beside it allows writing, `member` or not: older
# installations have roles of their own.
READERS = frozenset({"reader"})


class Who(enum.Enum):
    EVERYONE = "everyone"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    MGMT = "mgmt"


EVERYONE, READ, WRITE, ADMIN, MGMT = Who

POLICY: Mapping[str, Who] = {
    "instance:index": READ,
    "instance:detail": READ,
    "instance:show": READ,
    "instance:create": WRITE,
    "instance:update": WRITE,
    "instance:delete": WRITE,
    # The same as a deletion, which never waits: so, unlike a reset, owners may do it.
    "instance:force_delete": WRITE,
    "instance:restart": WRITE,
    "instance:resize_flavor": WRITE,
    "instance:resize_volume": WRITE,
    "instance:promote_to_replica_source": WRITE,
    "instance:eject_replica_source": WRITE,
    "instance:reset_status": ADMIN,
    # The endpoint of every action; each action then has a rule of its own.
    "instance:action": WRITE,
    "instance:configuration": READ,
    "database:index": READ,
    "database:create": WRITE,
    "database:delete": WRITE,
    "user:index": READ,
    "user:show": READ,
    "user:create": WRITE,
    "user:update": WRITE,
    "user:delete": WRITE,
    "user_access:index": READ,
    "user_access:update": WRITE,
    "user_access:delete": WRITE,
    "root:index": READ,
    "root:create": WRITE,
    "root:delete": WRITE,
    "datastore:index": EVERYONE,
    "datastore:show": EVERYONE,
    "datastore:delete": ADMIN,
    "flavor:index": EVERYONE,
    "flavor:show": EVERYONE,
    "volume_type:index": EVERYONE,
    "limits:index": READ,
    # Although it lies below /mgmt: the project's own quotas have always been open to it.
    "quota:show": READ,
    "operation:index": READ,
    "operation:show": READ,
    "operation:cancel": WRITE,
    "event:index": READ,
    "certificate_authority:show": EVERYONE,
    # Routes that this release does not serve: routes/unserved.py.
    "unserved:read": READ,
    "unserved:write": WRITE,
    "mgmt:read": MGMT,
    "mgmt:write": MGMT,
    "mgmt:quota": MGMT,
}


def enforce(rule: str, caller: Caller) -> None:
    """Raises Forbidden, naming the rule."""
    who = POLICY[rule]
    if caller.is_admin or who in {EVERYONE, READ}:
        return
    if who is MGMT:
        raise AdminOnly
    # A caller without any role is not a reader: membership in the project is what counts.
    if who is ADMIN or caller.roles and caller.roles <= READERS:
        raise Forbidden(f"Policy does not allow {rule} to be performed by you.")
