"""The options before the subcommand, the same as of every OpenStack client."""

from __future__ import annotations

from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

from trove.cli.trove.output import FORMATS
from trove.client.cloud import FIELDS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "token": ("--os-token", "--os-auth-token"),
    "project_name": ("--os-project-name", "--os-tenant-name"),
    "project_id": ("--os-project-id", "--os-tenant-id"),
    "interface": ("--os-interface", "--os-endpoint-type", "--endpoint-type"),
    "endpoint": ("--os-endpoint", "--bypass-url", "--os-endpoint-override", "--endpoint-override"),
    "service_type": ("--os-service-type", "--service-type"),
    "service_name": ("--database-service-name", "--os-database-service-name", "--service-name"),
    "cacert": ("--os-cacert",),
    "cert": ("--os-cert",),
    "key": ("--os-key",),
    "insecure": ("--insecure",),
}
"""Field of a Cloud -> its options; any other has `--os-` and the name of the field."""


def parse(words: Sequence[str]) -> Namespace:
    """`command` is the subcommand or None, `rest` its own words; fields are named as in Cloud."""
    return parser().parse_args(dashed(words))


def dashed(words: Sequence[str]) -> list[str]:
    """Long options may be written with underscores too: `--os_username`, `--replica_of`."""
    # After it come names, which may begin with hyphens.
    end = words.index("--") if "--" in words else len(words)
    return [_dashed(word) for word in words[:end]] + list(words[end:])


def _dashed(word: str) -> str:
    # The older command accepted both, and scripts use both; a value keeps its underscores.
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if word.startswith("--") else word


def parser() -> ArgumentParser:
    made = ArgumentParser(
        prog="trove",
        description="Database servers on demand.",
        usage="trove [options] <subcommand> ...",
        # argparse would print its own help and exit before it reads the subcommand.
        add_help=False,
        allow_abbrev=False,
    )
    made.add_argument("-h", "--help", action="store_true", help="show this text")
    made.add_argument("--version", action="store_true", help="show the version")
    made.add_argument("--debug", action="store_true", help="print the HTTP exchange as curl lines")
    made.add_argument(
        "--json", action="store_const", const="json", dest="format", help="the same as -f json"
    )
    made.add_argument("-f", "--format", choices=FORMATS, help="how to print (table)")
    made.add_argument("-c", "--column", action="append", default=[], help="only this (repeatable)")
    made.add_argument("--profile", metavar="KEY", help="trace the request with this HMAC key")
    made.add_argument("--os-cloud", metavar="NAME", help="a cloud of clouds.yaml (OS_CLOUD)")
    _add_cloud(made)
    made.add_argument("command", nargs="?", help=SUPPRESS)
    # Left for the parser of the subcommand, so that only its module is imported.
    made.add_argument("rest", nargs=REMAINDER, help=SUPPRESS)
    return made


def _add_cloud(made: ArgumentParser) -> None:
    group = made.add_argument_group("who and where (each also as an environment variable, OS_...)")
    for field in FIELDS:
        flags = ALIASES.get(field, (f"--os-{field.replace('_', '-')}",))
        if field == "insecure":
            shown = "do not verify certificates"
            group.add_argument(*flags, action="store_const", const="true", dest=field, help=shown)
        else:
            group.add_argument(*flags, dest=field, metavar=field.upper())
