"""What databases, users and grants a running Redis has."""

from __future__ import annotations

from collections.abc import Mapping

from trove.datastores.redis import MANIFEST
from trove.datastores.redis.access import Rules, databases, databases_in, users
from trove.datastores.redis.session import session
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.protocol.engine_spec import EngineSpec


def accounts_of(spec: EngineSpec) -> Accounts:
    """What tenants may see of databases, users and root."""
    with session(spec) as link:
        known = users(link)
    return Accounts(
        [DatabaseAccount(name) for name in databases(known)],
        [Account(name, None, databases_in(rules)) for name, rules in visible(known).items()],
        is_enabled(known[MANIFEST.root_name]),
    )


def visible(known: Mapping[str, Rules]) -> dict[str, Rules]:
    """The users that tenants may see, by name."""
    hidden = MANIFEST.user_names.reserved
    return {name: known[name] for name in sorted(known) if name.lower() not in hidden}


def is_enabled(rules: Rules) -> bool:
    return "on" in rules
