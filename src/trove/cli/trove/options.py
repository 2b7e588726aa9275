"""The options before the subcommand, the same as of every OpenStack client."""

from __future__ import annotations

from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

from trove.cli.trove.output import FORMATS
from trove.client.cloud import FIELDS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "auth_type": ("--os-auth-type", "--os-auth-plugin", "--os-auth-system"),
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


JSON = ("OS_JSON_OUTPUT",)
DEBUG = ("TROVECLIENT_DEBUG",)
PROFILE = ("OS_PROFILE_HMACKEY", "OS_PROFILE")
API_VERSION = ("OS_DATABASE_API_VERSION",)
"""Variables of the older command, each the same as the option."""
SPOKEN = ("1", "1.0", "v1", "v1.0")
"""What `--os-database-api-version` may say: the only version that there is."""


def with_environment(options: Namespace, environ: Mapping[str, str]) -> Namespace:
    """Options over the variables that are no fields of a Cloud."""
    seen = Namespace(**vars(options))
    seen.format = options.format or ("json" if _is_set(environ, JSON) else None)
    seen.debug = options.debug or _is_set(environ, DEBUG)
    seen.profile = options.profile or _first(environ, PROFILE)
    seen.api_version = options.api_version or _first(environ, API_VERSION)
    return seen


def notes_of(options: Namespace) -> list[str]:
    """What was accepted, and changes nothing."""
    version = options.api_version
    if version in (None, *SPOKEN):
        return []
    return [f"API version {version} is ignored: this command speaks 1.0."]


def _first(environ: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _is_set(environ: Mapping[str, str], names: Sequence[str]) -> bool:
    # The older command took any word for yes.
    return (_first(environ, names) or "no").lower() not in ("0", "no", "false", "off")


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


def seconds(text: str) -> float:
    """Raises ValueError, also for what is no length of time."""
    found = float(text)
    if not 0 < found < float("inf"):
        raise ValueError(text)
    return found


def count(text: str) -> int:
    """Raises ValueError, also below zero."""
    if (found := int(text)) < 0:
        raise ValueError(text)
    return found


TRACE = "trace the request with this HMAC key (OS_PROFILE_HMACKEY)"


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
        "--json",
        "--os-json-output",
        action="store_const",
        const="json",
        dest="format",
        help="the same as -f json (OS_JSON_OUTPUT)",
    )
    made.add_argument("-f", "--format", choices=FORMATS, help="how to print (table)")
    made.add_argument("-c", "--column", action="append", default=[], help="only this (repeatable)")
    made.add_argument("--profile", metavar="KEY", help=TRACE)
    made.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="wait so long for each answer (120)"
    )
    made.add_argument(
        "--retries", type=count, metavar="N", help="try a request again so many times (3)"
    )
    # Ignored, for there is one version: scripts of the older command name it.
    made.add_argument("--os-database-api-version", dest="api_version", help=SUPPRESS)
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
