"""Databases and users as the wire shows them."""

from __future__ import annotations

from typing import Any

from trove.protocol import Account, DatabaseAccount
from trove.services.account_rules import ANY_HOST


def database(account: DatabaseAccount) -> dict[str, str]:
    return {"name": account.name}


def user(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "host": account.host or ANY_HOST,
        "databases": [{"name": name} for name in account.databases],
    }
