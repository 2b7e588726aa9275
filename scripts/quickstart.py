"""A running PostgreSQL from one command, through the same commands that a user would type.

Law: may be run again at any time; what is there is found, not made twice.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
INSTANCE, DATABASE, USER = "pg", "app", "app_user"
START_OVER = "remove it with all data (`make quickstart-remove`) and start over (`make quickstart`)"
QUERY = "select 'hello from PostgreSQL ' || current_setting('server_version')"


class StepFailed(Exception):
    """A command did not succeed; its own message has been printed, or is part of this one."""


@dataclass(frozen=True)
class Environment:
    """Where programs are found and where the password of the first user is kept."""

    environment: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> Path:
        """Readable by this account alone."""
        home = self.environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(home) / "trove" / "quickstart.json"

    def run(self, *command: str, shown: bool = True) -> None:
        if shown:
            say(f"$ {shlex.join(command)}")
        if subprocess.run(command, env=self.environment, check=False).returncode:
            raise StepFailed(f"`{shlex.join(command)}` did not succeed.")

    def answer(self, *command: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            command, env=self.environment, check=False, capture_output=True, text=True
        )
        # A list that could not be had is not an empty one: the caller would order a second server.
        if done.returncode:
            raise StepFailed(f"`{shlex.join(command)}` did not succeed: {done.stderr.strip()}")
        return done.stdout

    def password(self) -> str:
        """Of the first user, as it was kept when the server was created."""
        try:
            return str(json.loads(self.notes.read_text())["password"])
        except (OSError, ValueError, KeyError):
            raise StepFailed(
                f"The instance `{INSTANCE}` is there, but not the password of {USER}, which would "
                f"be in {self.notes}. Set one with `{PROGRAMS / 'trove'} user-update-attributes "
                f"{INSTANCE} {USER} --new_password -` and connect with `{PROGRAMS / 'trove'} "
                f"connect {INSTANCE} --user {USER}`, or {START_OVER}."
            ) from None


def main() -> int:
    options = _options()
    here = Environment(_environment())
    try:
        if options.stop:
            here.run("trove-standalone", "stop")
        elif options.remove:
            remove(here)
        else:
            start(here)
    except StepFailed as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nquickstart: interrupted; `make quickstart` takes it up again.", file=sys.stderr)
        return 130
    return 0


def start(here: Environment) -> None:
    here.run("trove-standalone", "start", "--detach")
    found = instance_of(here)
    if found is None:
        create(here)
    else:
        resume(here, found)
    url = url_of(here)
    greet(here, url)
    show_connection(url)


def remove(here: Environment) -> None:
    here.run("trove-standalone", "remove", "--yes")
    here.notes.unlink(missing_ok=True)


def instance_of(here: Environment) -> dict[str, Any] | None:
    """The quickstart's instance, if it exists already."""
    listed = json.loads(here.answer("trove", "--json", "list"))
    return next((i for i in listed if i["name"] == INSTANCE), None)


def create(here: Environment) -> None:
    """Create the server as a user would; the password is typed where the command prompts for it."""
    password = secrets.token_urlsafe(18)
    keep(here, password)
    wanted = ["--size", "1", "--datastore", "postgresql"]
    command = ["trove", "create", INSTANCE, "2", *wanted, "--databases", DATABASE]
    command += ["--users", USER, "--wait"]
    say(f"$ {shlex.join(command)}")
    if subprocess.run(
        command, env=here.environment, check=False, text=True, input=f"{password}\n"
    ).returncode:
        raise StepFailed(f"The instance could not be created, see above; {START_OVER}.")


def resume(here: Environment, found: dict[str, Any]) -> None:
    """Go on from an earlier run, which may have been interrupted or have failed."""
    if found["status"] not in ("ACTIVE", "ERROR"):
        # The command prints a failure, and the status below shows it.
        with suppress(StepFailed):
            here.run("trove", "operation-watch", INSTANCE)
        found = instance_of(here) or found
    here.run("trove", "show", INSTANCE)
    if found["status"] != "ACTIVE":
        raise StepFailed(f"The instance is {found['status']}, see above; {START_OVER}.")


def keep(here: Environment, password: str) -> None:
    here.notes.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    here.notes.touch(mode=0o600)
    here.notes.write_text(json.dumps({"instance": INSTANCE, "user": USER, "password": password}))


def url_of(here: Environment) -> str:
    """The connection URL as `trove url` gives it, with the password put in."""
    bare = here.answer("trove", "url", INSTANCE, "--user", USER, "--database", DATABASE)
    parts = urlsplit(bare.strip())
    account = f"{USER}:{quote(here.password(), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc.rpartition('@')[2]}"))


def greet(here: Environment, url: str) -> None:
    """Prove that the URL works, with the engine's own client."""
    say("")
    psql = shutil.which("psql", path=here.environment["PATH"])
    if psql is None:
        raise StepFailed("psql is not installed: sudo apt-get install postgresql-client")
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=f"{USER}@{parts.netloc.rpartition('@')[2]}"))
    say(f'$ psql "{bare}" -c "{QUERY}"')
    command = [psql, bare, "-X", "-At", "-c", QUERY]
    secret = here.environment | {"PGPASSWORD": here.password()}
    if subprocess.run(command, env=secret, check=False).returncode:
        raise StepFailed(
            f"psql could not connect. `{PROGRAMS / 'trove'} show {INSTANCE}` shows whether the "
            f"server is ACTIVE and HEALTHY; then run `make quickstart` again, or {START_OVER}."
        )


def show_connection(url: str) -> None:
    activate = f". {PROGRAMS / 'activate'}"
    say(f"""
Your PostgreSQL runs. Connect from this machine with

    psql "{url}"

The commands are in the virtual environment, and know where the service is:

    {activate}
    trove list
    trove show {INSTANCE}
    trove connect {INSTANCE} --user {USER} --database {DATABASE}
    trove help

The service and its instances go on running.

    make quickstart-stop      stops the service; `make quickstart` starts it again
    make quickstart-remove    removes it, with every instance and all data
""")


def say(line: str) -> None:
    print(line, flush=True)


def _environment() -> dict[str, str]:
    """The caller's, without another cloud's credentials, and with the engines' programs."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
    engines = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = [PROGRAMS, mine.get("PATH", ""), "/usr/sbin", "/sbin", *engines[-1:]]
    return mine | {"PATH": os.pathsep.join(map(str, path))}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--stop", action="store_true", help="stop the service")
    choice.add_argument("--remove", action="store_true", help="remove it with all instances")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
