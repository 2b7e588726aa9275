"""The scripts around the first command, in directories as a kill, a failure or a visitor left them.

The programs that they call are scripts of a few lines here, because the tests are of what the
scripts make of an answer; the real ones are in test_quickstart.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import HANG
from trove.datastores import datastores
from trove.datastores.parts import Datastore

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "scripts"

TROVE = """\
#!/bin/sh
echo "$*" >>"$HOME/calls"
case "$*" in
"--json list")
    [ ! -e "$HOME/away" ] || { echo "ERROR: The service is away." >&2; exit 1; }
    cat "$HOME/list" ;;
"operation-watch pg")
    mv "$HOME/after" "$HOME/list"
    ! grep -q ERROR "$HOME/list" ;;
"create pg "*)
    cat >"$HOME/password" ;;
"show pg")
    echo "the fault: no space left" ;;
"url pg "*)
    [ ! -e "$HOME/away" ] || { echo "ERROR: pg has no address yet." >&2; exit 1; }
    echo "postgresql://app_user@127.0.0.9:5432/app?sslmode=verify-full" ;;
esac
"""


@dataclass
class Visitor:
    """A user who has run the quickstart before."""

    home: Path

    def has(self, status: str | None, then: str | None = None) -> None:
        """An instance of this status, and of another one after its operation."""
        for name, word in (("list", status), ("after", then)):
            listed = [{"name": "pg", "status": word}] if word else []
            (self.home / name).write_text(json.dumps(listed))

    def knows(self, password: str) -> None:
        self.notes.parent.mkdir(parents=True)
        self.notes.write_text(json.dumps({"password": password}))

    @property
    def notes(self) -> Path:
        return self.home / ".config" / "trove" / "quickstart.json"

    @property
    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()

    def program(self, name: str, text: str) -> None:
        place = self.home / "bin" / name
        place.write_text(text)
        place.chmod(0o755)

    def quickstart(self) -> subprocess.CompletedProcess[str]:
        # Beside its own interpreter it looks for the other programs.
        return subprocess.run(
            [str(self.home / "bin" / "python"), str(SCRIPTS / "quickstart.py")],
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    made = Visitor(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    made.program("trove", TROVE)
    made.program("trove-standalone", "#!/bin/sh\n")
    made.program("psql", '#!/bin/sh\necho "hello from $PGPASSWORD"\n')
    return made


def test_the_first_run_orders_a_server(visitor: Visitor) -> None:
    visitor.has(None)
    done = visitor.quickstart()
    assert done.returncode == 0, done.stderr
    password = (visitor.home / "password").read_text().strip()
    assert f"hello from {password}" in done.stdout
    assert f"app_user:{password}@127.0.0.9" in done.stdout
    assert visitor.notes.stat().st_mode & 0o777 == 0o600


def test_a_failure_to_list_is_not_an_empty_list(visitor: Visitor) -> None:
    visitor.knows("kept")
    (visitor.home / "away").touch()
    done = visitor.quickstart()
    assert done.returncode == 1
    assert "did not succeed: ERROR: The service is away." in done.stderr
    assert visitor.calls == ["--json list"]
    assert json.loads(visitor.notes.read_text()) == {"password": "kept"}


def test_a_run_that_was_interrupted_is_taken_up(visitor: Visitor) -> None:
    visitor.knows("kept")
    visitor.has("BUILD", "ACTIVE")
    done = visitor.quickstart()
    assert done.returncode == 0, done.stderr
    assert "operation-watch pg" in visitor.calls
    assert "hello from kept" in done.stdout


@pytest.mark.parametrize(("status", "then"), [("ERROR", None), ("BUILD", "ERROR")])
def test_a_server_that_failed_is_shown_with_the_way_out(
    visitor: Visitor, status: str, then: str | None
) -> None:
    visitor.knows("kept")
    visitor.has(status, then)
    done = visitor.quickstart()
    assert done.returncode == 1
    assert "the fault: no space left" in done.stdout
    assert "The instance is ERROR" in done.stderr
    assert "make quickstart-remove" in done.stderr


def test_what_a_command_says_of_its_failure_is_not_lost(visitor: Visitor) -> None:
    visitor.knows("kept")
    visitor.has("ACTIVE")
    visitor.program("trove", TROVE.replace('show pg")', 'show pg")\n    touch "$HOME/away"\n   '))
    done = visitor.quickstart()
    assert done.returncode == 1
    assert "ERROR: pg has no address yet." in done.stderr


@pytest.mark.parametrize("notes", [None, "", "{}"])
def test_a_password_that_is_lost_can_be_set_again(visitor: Visitor, notes: str | None) -> None:
    visitor.has("ACTIVE")
    if notes is not None:
        visitor.knows("")
        visitor.notes.write_text(notes)
    done = visitor.quickstart()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "user-update-attributes pg app_user --new_password -" in done.stderr


def test_a_server_that_does_not_answer_has_a_next_step(visitor: Visitor) -> None:
    visitor.knows("kept")
    visitor.has("ACTIVE")
    visitor.program("psql", "#!/bin/sh\nexit 2\n")
    done = visitor.quickstart()
    assert done.returncode == 1
    assert "show pg` shows whether" in done.stderr
    assert "make quickstart-remove" in done.stderr


BACKEND = '''\
"""Builds an empty wheel."""
import zipfile

def build_editable(directory, *_):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        about = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1"
        wheel.writestr("tiny-1.dist-info/METADATA", about)
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
'''
PROJECT = """\
[project]
name = "tiny"
version = "1"
[build-system]
requires = []
build-backend = "tiny_backend"
backend-path = ["."]
"""


def test_an_environment_whose_creation_was_interrupted_is_created_again(tmp_path: Path) -> None:
    """A kill while pip was brought in leaves a python without it."""
    project, environment = tmp_path / "project", tmp_path / "project" / ".venv"
    shutil.copytree(SCRIPTS, project / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "tiny_backend.py").write_text(BACKEND)
    make = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(make, check=True, timeout=HANG)

    def run() -> str:
        command = [str(project / "scripts" / "environment"), str(environment)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Making the virtual environment" in run()
    assert (environment / ".installed").exists()
    assert run() == "", "there is nothing more to do"


@dataclass
class Machine:
    """One without psql, and with the programs that are named."""

    programs: Path

    def has(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def engines(self, name: str = "postgresql", python: str = sys.executable) -> str:
        """The complaint of `scripts/engines` about this engine."""
        done = subprocess.run(
            [str(SCRIPTS / "engines"), name],
            env={"PATH": str(self.programs), "TROVE_PYTHON": python},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        assert done.returncode == 1
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in ("dirname", "ls", "env"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    here = Machine(tmp_path)
    here.has("id", "echo 1000")
    return here


def test_an_installation_that_fails_is_not_taken_for_missing_rights(machine: Machine) -> None:
    machine.has("id", "echo 0")
    machine.has("apt-get", "echo 'E: Could not get lock' >&2; exit 100")
    message = machine.engines()
    assert "E: Could not get lock" in message
    assert "sudo apt-get install postgresql" in message
    assert "apt-get could not install it, for the reason above" in message
    assert "Neither root" not in message


def test_missing_rights_are_reported(machine: Machine) -> None:
    machine.has("apt-get", "exit 0")
    message = machine.engines()
    assert "Neither root nor passwordless sudo" in message
    assert "sudo apt-get install postgresql" in message


def test_a_name_that_no_datastore_has_is_an_error(machine: Machine) -> None:
    known = "no datastore is called oracle; there are: mariadb, memcached, postg"
    assert known in machine.engines("oracle")


def test_an_environment_is_needed_first(machine: Machine) -> None:
    assert "Run `make environment` first" in machine.engines(python="/nowhere/python")


def test_packages_are_those_of_the_manifests(tmp_path: Path) -> None:
    """Of every datastore without a client in PATH, and of none that is there."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "missing_packages.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    wanted = {p for each in datastores().values() if each.manifest.client for p in packages(each)}
    assert wanted <= set(done.stdout.split()) <= {*wanted, "memcached"}
    assert all(map(packages, datastores().values()))


def packages(datastore: Datastore) -> tuple[str, ...]:
    return datastore.manifest.packages


def test_a_system_without_apt_is_named_as_the_reason(machine: Machine) -> None:
    message = machine.engines()
    assert "There is no apt-get here" in message
    assert "Neither root" not in message


@pytest.mark.parametrize("target", ["quickstart", "quickstart-stop", "quickstart-remove"])
def test_each_target_makes_sure_of_the_environment_first(target: str) -> None:
    """`make clean` takes it away, also from a service that runs."""
    environ = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", target],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    assert done.stdout.splitlines()[0] == "scripts/environment .venv"


def test_the_unit_of_a_standalone_service_names_no_file_that_no_step_makes() -> None:
    unit = (ROOT / "packaging" / "systemd" / "trove-standalone.service").read_text()
    started = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert started == ["ExecStart=/opt/trove/bin/trove-standalone start"]
