"""The access list of a running Redis: each user's rules, and changes that are saved at once.

The engine's file on the volume is the one place where users and databases are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from trove.datastores.redis import ADMIN, REGISTRY
from trove.datastores.redis.session import Refusal, Session, execute, query, verifier

FILE = "users.acl"
"""In the engine's directory."""
ENDING = ":*"
TENANT = ("+@all", "-@admin", "-@dangerous", "-scan", "-randomkey", "-function")
"""What users may do with their keys. SCAN and RANDOMKEY would show the keys of every database;
functions belong to all users together."""
ROOT = (
    "+@all",
    *("-acl|setuser", "-acl|deluser", "-acl|load", "-acl|save"),
    *("-module", "-debug", "-shutdown", "-failover", "-replicaof", "-slaveof", "-config|rewrite"),
)
"""What the superuser may do: not what would take the engine away from Trove."""

Rules = list[str]
"""The words that describe a user, as ACL LIST has them."""


def first_file(password: str) -> str:
    """The access list of a new engine: only the administrator may log in."""
    return (
        "user default off resetpass resetkeys resetchannels -@all\n"
        f"user {ADMIN} on #{verifier(password)} ~* &* +@all\n"
        f"user {REGISTRY} off resetkeys resetchannels -@all\n"
    )


def users(link: Session) -> dict[str, Rules]:
    """Everyone's rules, Trove's own users included."""
    lines = (line.split(" ") for line in query(link, "ACL", "LIST"))
    return {name: rules for _, name, *rules in lines}


def databases(known: Mapping[str, Rules]) -> list[str]:
    """The databases that exist."""
    return databases_in(known.get(REGISTRY, []))


def databases_in(rules: Rules) -> list[str]:
    """The databases whose keys these rules open."""
    patterns = (word[1:] for word in rules if word.startswith("~"))
    return sorted(p.removesuffix(ENDING) for p in patterns if p.endswith(ENDING))


def new_user(password: str, names: Collection[str]) -> Rules:
    return with_databases(["on", f"#{verifier(password)}", *TENANT], names)


def with_databases(rules: Rules, names: Collection[str]) -> Rules:
    """The same rules for the keys and channels of these databases alone."""
    others = [word for word in rules if word[0] not in "~&" and word != "resetchannels"]
    patterns = [f"{kind}{name}{ENDING}" for name in sorted(set(names)) for kind in "~&"]
    return [*others, *patterns]


def with_password(rules: Rules, password: str) -> Rules:
    """The same rules with this password alone."""
    others = [word for word in rules if not word.startswith("#") and word != "nopass"]
    return [*others, f"#{verifier(password)}"]


def change(
    link: Session, wanted: Mapping[str, Rules | None], *, disconnect: Iterable[str] = ()
) -> None:
    """Give each of these users exactly these rules, or delete it, and save: all or none.

    Connections of users that are deleted, and of those to `disconnect`, end. Raises Refusal.
    """
    before = users(link)
    kills = [("CLIENT", "KILL", "USER", name) for name in disconnect]
    try:
        execute(link, *_commands(wanted), *kills)
    except Refusal:
        with suppress(Refusal):
            execute(link, *_commands({name: before.get(name) for name in wanted}))
        raise


def _commands(wanted: Mapping[str, Rules | None]) -> list[Sequence[str]]:
    # In one transaction with the save: a process that ends in between cannot leave users that
    # exist until the next restart only.
    changes = [
        ("ACL", "DELUSER", name) if rules is None else ("ACL", "SETUSER", name, "reset", *rules)
        for name, rules in wanted.items()
    ]
    return [*changes, ("ACL", "SAVE")]
