"""The command line itself: options, formats, passwords, errors, help."""

from __future__ import annotations

import base64
import csv
import fcntl
import hashlib
import hmac
import io
import json
import os
import pty
import re
import resource
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.service import ROOT, Reply, Service
from tests.unit.cli.trove.conftest import Result
from trove.cli.trove.arguments import parser_of
from trove.cli.trove.commands import AREA_OF, AREAS, load
from trove.cli.trove.options import dashed

from .conftest import INSTANCE, OPERATION, PG, operation

ONE = f"/instances/{PG}"


class TestOutput:
    """Tables for people, values for shells, documents for programs."""

    def test_a_table(self, trove: Callable[..., Result]) -> None:
        assert trove("list").out.splitlines()[:4] == [
            "+--------------------------------------+------+------------+-------------------+"
            "--------+-----------+------+",
            "| ID                                   | Name | Datastore  | Datastore Version |"
            " Status | Flavor ID | Size |",
            "+--------------------------------------+------+------------+-------------------+"
            "--------+-----------+------+",
            f"| {PG} | pg   | postgresql | 15                | ACTIVE | 2         | 1    |",
        ]

    def test_json_is_the_bare_array_before_and_after(self, trove: Callable[..., Result]) -> None:
        assert json.loads(trove("--json", "list").out) == [INSTANCE]
        assert json.loads(trove("list", "--json").out) == [INSTANCE]
        assert json.loads(trove("show", "pg", "-f", "json").out) == INSTANCE

    def test_yaml(self, trove: Callable[..., Result]) -> None:
        assert yaml.safe_load(trove("-f", "yaml", "show", "pg").out) == INSTANCE

    def test_csv(self, trove: Callable[..., Result]) -> None:
        rows = list(csv.DictReader(io.StringIO(trove("list", "-f", "csv").out)))
        assert rows[0]["Datastore Version"] == "15"

    def test_values_of_chosen_columns(self, trove: Callable[..., Result]) -> None:
        assert trove("list", "-f", "value", "-c", "Name", "-c", "flavor_id").out == "pg 2\n"
        assert trove("-c", "status", "show", "pg", "-f", "value").out == "ACTIVE\n"

    def test_a_document_of_chosen_columns(self, trove: Callable[..., Result]) -> None:
        assert json.loads(trove("--json", "list", "-c", "Size").out) == [{"Size": 1}]
        assert json.loads(trove("--json", "show", "pg", "-c", "volume").out) == {"volume": 1}

    def test_an_unknown_column(self, trove: Callable[..., Result]) -> None:
        result = trove("list", "-c", "colour")
        assert result.code == 1
        assert result.err.startswith("ERROR: There is no column 'colour'; there are: ID, Name")

    def test_one_object_has_a_line_for_each_property(self, trove: Callable[..., Result]) -> None:
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in trove("show", "pg").out.splitlines()
            if line.startswith("|")
        ]
        assert lines[0] == ["Property", "Value"]
        assert dict(lines)["addresses"] == "127.75.9.1 (private)"
        assert dict(lines)["volume_used"] == "0.1"
        assert dict(lines)["replicas"] == "22222222-2222-4222-8222-222222222222"
        assert [name for name, _ in lines[1:4]] == ["id", "name", "status"]

    def test_status_words_have_colours_on_a_terminal_alone(
        self, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "\x1b" not in trove("list").out
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert "\x1b[32mACTIVE\x1b[0m " in trove("list").out
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b" not in trove("list").out

    def test_wide_characters_keep_the_frame(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.give("/instances", {"instances": [{**INSTANCE, "name": "数据é"}]})
        rule, head, _, row, _ = trove("list", "-c", "Name").out.splitlines()
        assert (rule, head, row) == ("+-------+", "| Name  |", "| 数据é |")

    def test_cells_of_several_lines_keep_the_frame(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        fault = {"message": "no", "details": "first\nsecond line", "created": "2026"}
        service.give(ONE, {"instance": {**INSTANCE, "fault": fault}})
        lines = trove("show", "pg", "-c", "fault_details", "-c", "status").out.splitlines()
        assert lines[3:6] == [
            "| fault_details | first       |",
            "|               | second line |",
            "| status        | ACTIVE      |",
        ]

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ([{"address": "10.0.0.1", "type": "private"}], "10.0.0.1"),
            ({"id": "7", "links": []}, "7"),
            ({"name": "NONE"}, "NONE"),
            ([{"id": "7", "name": "joe", "a": 1, "b": 2}], "joe"),
            ([{"size": 1, "used": None, "tags": ["a", "b"]}], "size=1, tags=(a, b)"),
            ([{"inner": {"x": 1}, "one": ["y"]}], "inner=(x=1), one=y"),
            ([], "-"),
        ],
    )
    def test_no_cell_shows_braces(
        self, service: Service, trove: Callable[..., Result], value: Any, shown: Any
    ) -> None:
        service.give(ONE, {"instance": {"id": PG, "extra": value}})
        row = trove("show", "pg").out.splitlines()[-2]
        assert [cell.strip() for cell in row.strip("|").split("|")] == ["extra", shown]

    def test_an_object_in_an_object_has_a_line_for_each_of_its_properties(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.give(ONE, {"instance": {"id": PG, "access": {"is_public": False, "cidrs": ["a"]}}})
        words = ["show", "pg", "-f", "value", "-c", "access_cidrs", "-c", "access_is_public"]
        assert trove(*words).out == "a False\n"

    def test_limits_as_the_service_gave_them(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        limits = [{"verb": "ABSOLUTE", "max_ram": -1}]
        service.give("/limits", {"limits": limits})
        assert json.loads(trove("--json", "limit-list").out) == limits


class TestPasswords:
    """Nothing secret is echoed; nothing needs to be on the command line."""

    @pytest.mark.parametrize("words", [("-",), ()])
    def test_it_is_read_when_it_is_not_given(
        self, service: Service, trove: Callable[..., Result], words: Any
    ) -> None:
        service.on("POST", f"{ONE}/users", Reply(202))
        assert trove("user-create", "pg", "u", *words, stdin="pw \n").code == 0
        assert service.received[-1].body["users"][0]["password"] == "pw "

    def test_a_terminal_gets_a_prompt(
        self, service: Service, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        prompts: list[str] = []

        def answer(prompt: str) -> str:
            prompts.append(prompt)
            return "pw"

        monkeypatch.setattr("io.StringIO", Terminal)
        monkeypatch.setattr("getpass.getpass", answer)
        service.on("POST", f"{ONE}/users", Reply(202))
        trove("user-create", "pg", "u")
        assert prompts == ["Password of u: "]
        assert service.received[-1].body["users"][0]["password"] == "pw"

    def test_nothing_is_no_password(self, trove: Callable[..., Result]) -> None:
        result = trove("user-create", "pg", "u")
        assert (result.code, result.err) == (1, "ERROR: Password of u: nothing was entered.\n")

    def test_a_new_password_is_read(self, service: Service, trove: Callable[..., Result]) -> None:
        service.on("PUT", f"{ONE}/users/u", Reply(202))
        trove("user-update-attributes", "pg", "u", "--new_password", "-", stdin="pw\n")
        assert service.received[-1].body == {"user": {"password": "pw"}}

    def test_a_root_password_that_was_made_is_shown(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        answer = {"user": {"name": "root", "password": "made"}}
        service.on("POST", f"{ONE}/root", Reply(200, answer))
        assert "made" in trove("root-enable", "pg").out
        assert service.received[-1].body == {}

    def test_a_root_password_that_was_given_is_not(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        answer = {"user": {"name": "root", "password": "mine"}}
        service.on("POST", f"{ONE}/root", Reply(200, answer))
        result = trove("root-enable", "pg", "--root_password", "-", stdin="mine\n")
        assert service.received[-1].body == {"password": "mine"}
        assert "mine" not in result.out + result.err

    def test_debugging_shows_none(self, service: Service, trove: Callable[..., Result]) -> None:
        service.on("POST", f"{ONE}/users", Reply(202))
        result = trove("--debug", "user-create", "pg", "u", "hush")
        assert "REQ: curl" in result.err
        assert "hush" not in result.err
        assert "a-token" not in result.err
        assert hashlib.sha256(b"a-token").hexdigest() in result.err


class TestCreating:
    """What is ordered."""

    def test_everything_at_once(self, service: Service, trove: Callable[..., Result]) -> None:
        service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
        line = (
            "create new small --size 2 --volume_type ssd --databases a b --users u:p:w v "
            "--backup one --availability_zone z --datastore postgresql --datastore_version 15 "
            "--nic net-id=n,ip-address=10.0.0.5 --configuration one --module one --locality "
            "affinity --region r --is-public --allowed-cidr 10.0.0.0/8"
        )
        assert trove(*line.split(), stdin="read\n").code == 0
        databases = [{"name": "a"}, {"name": "b"}]
        assert service.received[-1].body == {
            "instance": {
                "name": "new",
                "availability_zone": "z",
                "nics": [{"net-id": "n", "ip_address": "10.0.0.5"}],
                "locality": "affinity",
                "region_name": "r",
                "flavorRef": "2",
                "restorePoint": {"backupRef": "b-1"},
                "configuration": "c-1",
                "modules": [{"id": "m-1"}],
                "volume": {"size": 2, "type": "ssd"},
                "datastore": {"type": "postgresql", "version": "15"},
                "databases": databases,
                "users": [
                    {"name": "u", "password": "p:w", "databases": databases},
                    {"name": "v", "password": "read", "databases": databases},
                ],
                "access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/8"]},
            }
        }

    def test_repeated_options_add_up(self, service: Service, trove: Callable[..., Result]) -> None:
        service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
        line = "create new 2 --databases a --users u:p --databases b c --users v:p w:p"
        assert trove(*line.split()).code == 0
        ordered = service.received[-1].body["instance"]
        assert [each["name"] for each in ordered["databases"]] == ["a", "b", "c"]
        assert [each["name"] for each in ordered["users"]] == ["u", "v", "w"]
        assert [each["name"] for each in ordered["users"][0]["databases"]] == ["a", "b", "c"]

    def test_a_replica_needs_few_options(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
        trove("create", "copy", "--replica_of", "pg", "--replica_count", "2")
        assert service.received[-1].body == {
            "instance": {"name": "copy", "replica_of": PG, "replica_count": 2}
        }

    def test_a_malformed_network_is_rejected(self, trove: Callable[..., Result]) -> None:
        result = trove("create", "new", "2", "--nic", "net-id")
        assert result.code == 2
        assert "'net-id' should be key=value,key=value" in result.err


class TestErrors:
    """ERROR: message (HTTP code) on stderr, exit 1."""

    def test_what_the_service_says(self, service: Service, trove: Callable[..., Result]) -> None:
        body = {"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}
        service.on("GET", ONE, Reply(404, body))
        result = trove("show", PG)
        assert (result.code, result.out) == (1, "")
        assert result.err == "ERROR: Instance x could not be found. (HTTP 404)\n"

    @pytest.mark.parametrize("terminal", [False, True])
    def test_a_wait_requested_by_the_service_is_reported(
        self,
        service: Service,
        trove: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
        terminal: bool,
    ) -> None:
        limit = Reply(413, {"overLimit": {"message": "Only 5 a minute."}}, {"Retry-After": "0"})
        service.on("GET", "/instances", limit, Reply(200, {"instances": [INSTANCE]}))
        monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
        result = trove("list")
        assert (result.code, " pg " in result.out) == (0, True)
        start = "\r\x1b[2K" if terminal else ""
        assert result.err == f"{start}Only 5 a minute. Trying again in 0 s.\n"

    def test_an_unknown_name(self, trove: Callable[..., Result]) -> None:
        assert trove("show", "xyz").err == (
            "ERROR: There is no instance with the name or id 'xyz'. (HTTP 404)\n"
        )

    def test_no_answer(self, trove: Callable[..., Result]) -> None:
        result = trove("--os-endpoint", "http://127.75.0.1:1/v1.0/p", "list")
        assert result.code == 1
        assert result.err.startswith("ERROR: http://127.75.0.1:1 does not answer: connection refu")

    def test_no_cloud_is_configured(
        self, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("OS_ENDPOINT")
        monkeypatch.delenv("OS_TOKEN")
        assert trove("list").err.startswith("ERROR: No cloud is configured.")

    def test_a_near_miss(self, trove: Callable[..., Result]) -> None:
        assert "Did you mean `list`?" in trove("lsit").err
        assert "There is no subcommand 'zzzzz'. `trove help`" in trove("zzzzz").err
        assert "`database-create`" in trove("databases").err

    def test_wrong_usage(self, trove: Callable[..., Result]) -> None:
        assert trove("show").code == 2
        assert trove("--nonsense").code == 2


class TestSigningIn:
    """The options of every OpenStack client."""

    @pytest.fixture(autouse=True)
    def no_token(self, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OS_ENDPOINT")
        monkeypatch.delenv("OS_TOKEN")

    def words(self, service: Service) -> list[str]:
        line = f"--os-auth-url {service.url} --os_username alice --os-tenant-name demo"
        return line.split()

    def test_a_password_and_a_cached_token(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        service.knows_identity()
        for _ in range(2):
            assert trove(*self.words(service), "--os-password", "pw", "list").code == 0
        assert [each.method for each in service.received] == ["POST", "GET", "GET"]

    def test_a_missing_password_is_prompted_for(
        self, service: Service, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.knows_identity()
        monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("io.StringIO", Terminal)
        assert trove(*self.words(service), "list").code == 0
        user = service.received[0].body["auth"]["identity"]["password"]["user"]
        assert user["password"] == "typed"

    def test_a_missing_password_without_a_terminal_is_an_error(
        self, service: Service, trove: Callable[..., Result]
    ) -> None:
        assert "The password is missing" in trove(*self.words(service), "list").err

    def test_a_cloud_of_a_file(
        self,
        service: Service,
        trove: Callable[..., Result],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        service.knows_identity()
        monkeypatch.chdir(tmp_path)
        auth = {"auth_url": service.url, "token": "t", "project_name": "demo"}
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"c": {"auth": auth}}}))
        assert trove("--os-cloud", "c", "list").code == 0
        assert service.received[0].body["auth"]["identity"]["token"] == {"id": "t"}

    def test_bypassing_the_catalog(self, service: Service, trove: Callable[..., Result]) -> None:
        assert trove("--bypass-url", service.endpoint, "--os-auth-token", "t", "list").code == 0
        assert service.received[0].headers["x-auth-token"] == "t"

    def test_a_trace(self, service: Service, trove: Callable[..., Result]) -> None:
        trove("--bypass-url", service.endpoint, "--profile", "key", "list")
        headers = service.received[0].headers
        info = headers["x-trace-info"]
        assert set(json.loads(base64.urlsafe_b64decode(info))) == {"base_id", "parent_id"}
        assert headers["x-trace-hmac"] == hmac.new(b"key", info.encode(), hashlib.sha1).hexdigest()


class TestHelp:
    """A text for everything, with an example in each."""

    @pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)])
    def test_the_overview_has_every_subcommand(
        self, trove: Callable[..., Result], words: Any
    ) -> None:
        out = trove(*words).out
        assert all(f"    {name} " in out for name in AREA_OF)
        assert "--os-auth-url" in out

    def test_the_overview_says_how_to_begin_and_what_each_area_is_for(
        self, trove: Callable[..., Result]
    ) -> None:
        out = trove("help").out
        assert out.index("trove create pg") < out.index("instances: Database servers: create,")
        assert out.index("\nlimits: ") < out.index("    limit-list") < out.index("--os-auth-url")

    def test_help_for_an_area(self, trove: Callable[..., Result]) -> None:
        lines = trove("help", "databases").out.splitlines()
        assert lines[0] == "databases: The databases of an instance."
        assert [line.split()[0] for line in lines[1:]] == [
            name for name, area in AREA_OF.items() if area == "databases"
        ]

    @pytest.mark.parametrize("name", AREA_OF)
    def test_every_subcommand_has_examples_that_parse(
        self, trove: Callable[..., Result], name: str
    ) -> None:
        out = trove("help", name).out.replace("\\\n", "")
        examples = re.search(r"\nexamples?:\n(.*)", out, re.DOTALL)
        assert examples is not None
        lines = examples[1].splitlines()
        commands = [
            shlex.split(re.split(" [<>] ", line)[0])
            for line in lines
            if line.strip() and not line.strip().startswith("#")
        ]
        assert [words[:2] for words in commands][0] == ["trove", name]
        for _, subcommand, *words in commands:
            parser_of(load(subcommand)).parse_args(dashed(words))

    def test_creating_has_an_example_of_each_engine(self, trove: Callable[..., Result]) -> None:
        out = trove("create", "--help").out
        assert "--datastore postgresql" in out
        assert "--datastore mariadb" in out

    def test_a_subcommand_explains_itself(self, trove: Callable[..., Result]) -> None:
        assert trove("show", "--help").out.startswith("usage: trove show")
        assert trove("--help", "show").out.startswith("usage: trove show")

    def test_help_with_a_near_miss(self, trove: Callable[..., Result]) -> None:
        assert "Did you mean `show`" in trove("help", "shwo").err

    def test_the_version(self, trove: Callable[..., Result]) -> None:
        assert trove("--version").out.startswith("trove 1.")

    def test_the_page_for_users_names_every_subcommand(self) -> None:
        page = Path(__file__).parents[4].joinpath("docs/users/cli.md").read_text()
        rows = re.findall(r"^\| (\w+) \| (`.*`) \|$", page, re.MULTILINE)
        assert {area: words.replace("`", "") for area, words in rows} == AREAS


class TestCompletion:
    """The scripts do what they promise in the shell itself."""

    def complete(self, script: str, *words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in ("trove", *words))
        program = (
            f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _trove; "
            'echo "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", program], capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.split()

    def test_bash(self, trove: Callable[..., Result]) -> None:
        script = trove("complete").out
        assert self.complete(script, "datab") == [
            "database-create",
            "database-delete",
            "database-list",
        ]
        assert self.complete(script, "create", "--repl") == []
        assert self.complete(script, "--debug", "help", "lis") == ["list"]
        assert self.complete(script, "complete", "f") == ["fish"]
        assert "--os-auth-url" in self.complete(script, "--os-auth")

    def test_the_others(self, trove: Callable[..., Result]) -> None:
        assert trove("complete", "zsh").out.startswith("autoload")
        assert "complete -c trove -n" in trove("complete", "fish").out

    def test_a_shell_that_is_not_known(self, trove: Callable[..., Result]) -> None:
        assert "for bash, zsh, fish" in trove("complete", "csh").err


class TestProcess:
    """As a process of its own."""

    def run(
        self, service: Service, *words: Any, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "OS_ENDPOINT": service.url + ROOT,
            "OS_TOKEN": "t",
            "HOME": "/nonexistent",
        }
        command = [sys.executable, "-m", "trove.cli.trove", *words]
        return subprocess.run(command, env=environ, text=True, timeout=30, check=False, **options)

    def test_it_starts_fast(self, service: Service) -> None:
        """In time of the processor, which others' work on this machine disturbs less."""
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert self.run(service, "list", capture_output=True).returncode == 0
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert min(times) <= 0.4

    def test_a_closed_pipe_is_no_error(self, service: Service) -> None:
        many = [{**INSTANCE, "name": "x" * 200} for _ in range(2000)]
        service.give("/instances", {"instances": many})
        reading, writing = os.pipe()
        os.close(reading)
        done = self.run(service, "list", stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert done.stderr == ""
        assert done.returncode == 1

    def test_a_real_terminal_sees_one_line_that_changes(self, service: Service) -> None:
        polls = [{"step": "datastore.restart", "note": "x" * 300}, {"state": "succeeded"}]
        answers = [Reply(200, {"operation": operation(**each)}) for each in polls]
        started = {"X-Trove-Operation-Id": OPERATION}
        service.on("POST", f"{ONE}/action", Reply(202, None, started))
        service.on("GET", f"/operations/{OPERATION}", *answers)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        done = self.run(service, "restart", "pg", "--wait", stderr=theirs)
        seen = os.read(ours, 65536).decode()
        os.close(ours)
        os.close(theirs)
        assert done.returncode == 0
        lines = seen.split("\r\x1b[2K")
        assert "datastore.restart: xxx" in lines[1]
        assert "succeeded" in lines[2]
        assert max(len(line) for line in lines) < 60
        assert lines[-1] == ""

    def test_a_slow_import_is_not_made(self, service: Service) -> None:
        environ_free = (
            "import sys; import trove.cli.trove.program, trove.cli.trove.commands.instances; print("
        )
        program = environ_free + "sorted(set(sys.modules) & {'sqlalchemy', 'fastapi', 'pydantic'}))"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
        )
        assert done.stdout.strip() == "[]"
