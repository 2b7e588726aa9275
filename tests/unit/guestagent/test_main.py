"""The agent and its key maker as programs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from tests.support import slot
from tests.support.agents import add_instance, agent_row, conductor_in, invite
from tests.support.waiting import until
from trove.cli.services import options_of
from trove.guestagent import certificate
from trove.guestagent.main import main


@pytest.mark.parametrize("command", [["-m", "trove.guestagent"], ["-c", "CLI"]])
def test_sigterm_ends_it_with_143(directory: Path, tmp_path: Path, command: list[str]) -> None:
    cli = "import sys; from trove.guestagent.main import main; sys.exit(main())"
    with conductor_in(tmp_path, slot.address(72, 7)) as conductor:
        instance = add_instance(conductor.installation)
        agent = directory / "agent.json"
        token = invite(conductor.installation, instance)
        agent.write_text(f'{{"conductor_url": "{conductor.url}", "token": "{token}"}}')
        process = subprocess.Popen(
            [sys.executable, *(cli if c == "CLI" else c for c in command)]
            + ["--directory", str(directory), "--debug"],
            stderr=subprocess.PIPE,
        )
        until(lambda: agent_row(conductor.installation, instance).reported_at)
        cpu = _cpu_seconds(process.pid)
        print(f"from start to first report: {cpu:.2f} s of processor time")
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert token.encode() not in said
    assert (directory / "credential").read_text().split('"')[3] not in said.decode()


def test_main_in_this_process(directory: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        timer = subprocess.Popen(["sh", "-c", f"sleep 1; kill -TERM {os.getpid()}"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert main(["--directory", str(directory)]) == 143
        timer.wait(10)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)


def test_a_directory_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--directory" in capsys.readouterr().err


def test_it_has_the_options_of_every_service(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for action in options_of("trove-api", "")._actions:
        for option in action.option_strings:
            assert option in shown


def test_settings_of_the_log(directory: Path, tmp_path: Path) -> None:
    """From files, whose other settings are the control plane's; options go before them."""
    log = tmp_path / "requests.log"
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "one.conf").write_text("[DEFAULT]\nlog_file = /nowhere\nlog_format = json\n")
    (tmp_path / "conf.d" / "two.conf").write_text("[DEFAULT]\nno_such = 1\n")
    files = ["--config-file", str(tmp_path / "one.conf"), "--config-dir", str(tmp_path / "conf.d")]
    lines = logged(directory, log, *files, "--log-file", str(log))
    assert "WARNING" in {json.loads(line)["level"] for line in lines}
    assert any("no_such" in line for line in lines)


def test_a_logging_configuration_decides(directory: Path, tmp_path: Path) -> None:
    log = tmp_path / "configured.log"
    configuration = f"""
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys =
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ("{log}",)
"""
    (tmp_path / "log.ini").write_text(configuration)
    lines = logged(directory, log, "--log-config-append", str(tmp_path / "log.ini"))
    assert "cannot reach the conductor" in lines[0]


def logged(directory: Path, log: Path, *options: str) -> list[str]:
    """What an agent whose conductor is away writes there."""
    command = [sys.executable, "-m", "trove.guestagent", "--directory", str(directory), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        until(lambda: log.exists() and "cannot reach the conductor" in log.read_text())
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (143, b"")
    return log.read_text().splitlines()


@pytest.mark.parametrize(
    "options",
    [["--config-file", "/nowhere/f"], ["--config-dir", "/nowhere"], ["--log-config", "/nowhere/l"]],
)
def test_a_missing_file_is_reported(
    directory: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["--directory", str(directory), *options]) == 1
    assert re.match("trove-guestagent: .*/nowhere", capsys.readouterr().err)


def test_a_datastore_that_is_not_there_is_reported(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, without a traceback: the infrastructure shows it as the reason."""
    place = json.loads((directory / "place.json").read_text())
    (directory / "place.json").write_text(json.dumps(place | {"manager": "oracle"}))
    assert main(["--directory", str(directory)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("trove-guestagent: No datastore manager is called 'oracle'; there are:")


def test_the_machines_syslog(directory: Path, tmp_path: Path) -> None:
    socket_path = str(tmp_path / "log")
    code = (
        f"import sys; from trove import logs; from trove.guestagent.main import main; "
        f"logs.SYSLOG = {socket_path!r}; sys.exit(main(sys.argv[1:]))"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(socket_path)
        syslog.settimeout(30)
        command = [sys.executable, "-c", code, "--directory", str(directory), "--use-syslog"]
        process = subprocess.Popen(command)
        try:
            assert b"cannot reach the conductor" in syslog.recv(65536)
        finally:
            process.terminate()
            process.wait(20)


def test_the_key_maker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate.main(str(tmp_path / "key"))
    csr = x509.load_pem_x509_csr(capsys.readouterr().out.encode())
    assert csr.is_signature_valid
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        certificate.main(str(tmp_path / "key"))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def modules_after(program: str, **environment: str) -> list[str]:
    """What a Python of its own prints."""
    command = [sys.executable, "-c", program]
    environ = os.environ | environment
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.split()


STARTED = """
import os, runpy, sys
sys.argv = ["trove-guestagent", "--help"]
try:
    runpy.run_module("trove.guestagent", run_name="__main__")
except SystemExit:
    pass
"""


def test_an_agent_has_one_heap_and_its_engine_as_many_as_it_wants() -> None:
    mine = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    said = modules_after(f"{STARTED}\nprint('left', *os.environ)", **mine)
    left = said[said.index("left") :]
    assert "PATH" in left
    assert not mine.keys() & set(left)


def test_the_mysql_client_does_not_import_what_a_socket_never_needs() -> None:
    program = (
        f"{STARTED}\nimport trove.datastores.mariadb.users, pymysql\nprint('loaded', *sys.modules)"
    )
    said = modules_after(program)
    loaded = said[said.index("loaded") :]
    assert "pymysql" in loaded
    assert not [name for name in loaded if name.startswith("cryptography.")]


@pytest.mark.parametrize("manager", ["postgresql", "mariadb", "redis"])
def test_an_agent_imports_its_own_datastore_alone(manager: str) -> None:
    said = modules_after(
        "import sys, trove.guestagent.main, trove.datastores\n"
        f"trove.datastores.datastore_of({manager!r})\nprint(*sys.modules)"
    )
    folders = {name.removeprefix("trove.datastores.") for name in said}
    assert folders & {"postgresql", "mariadb", "redis"} == {manager}
    # It is imported to find other packages' datastores and tasks, which this agent needs not.
    assert "importlib.metadata" not in said
