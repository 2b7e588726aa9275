"""The log: one line a record, no secrets, and what it is about."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trove import logs
from trove.errors import Invalid
from trove.settings import Settings


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, factory = list(root.handlers), root.level, logging.getLogRecordFactory()
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trove.log"


def log_to(file: Path, log_format: str = "json", *, debug: bool = False) -> None:
    logs.configure(replace(Settings(), log_file=file, log_format=log_format, debug=debug))


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_a_line_of_json(file: Path) -> None:
    log_to(file)
    with logs.bound(request_id="req-1", project="p", operation=None):
        logging.getLogger("trove.x").warning("it is %s", "so")
    (entry,) = map(json.loads, lines_of(file))
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "level": "WARNING",
        "logger": "trove.x",
        "message": "it is so",
        "request_id": "req-1",
        "project": "p",
    }


def test_a_line_of_text(file: Path) -> None:
    log_to(file, "text")
    with logs.bound(request_id="req-1"), logs.bound(operation="op-1"):
        logging.getLogger("trove.x").info("one\ntwo")
    logging.getLogger("trove.x").info("three")
    first, second = lines_of(file)
    assert first.endswith("INFO trove.x [request_id=req-1 operation=op-1] one\\ntwo")
    assert second.endswith("INFO trove.x three")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_in_a_message_controls_a_terminal(file: Path, log_format: str) -> None:
    log_to(file, log_format)
    logging.getLogger("trove.x").info("\x1b[2J\r\x00\x07 over\twritten")
    content = file.read_text()
    assert content.count("\n") == 1
    assert "\\x1b[2J\\x0d\\x00\\x07 over\twritten" in content or log_format == "json"
    assert not {"\x1b", "\r", "\x00", "\x07"} & set(content)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_stays_in_its_line(file: Path, log_format: str) -> None:
    log_to(file, log_format)
    try:
        raise ValueError("password='hunter2'")
    except ValueError:
        logging.getLogger("trove.x").exception("failed")
    (line,) = lines_of(file)
    assert "Traceback" in line
    assert "ValueError" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "Password: hunter2, next",
        '{"password": "hunter2", "name": "x"}',
        "{'adminPass': 'x', 'root_password': 'hunter2'}",
        "user_password = 'hunter2'",
        "X-Auth-Token: hunter2",
        "X-Subject-Token=hunter2",
        "Authorization: Bearer hunter2hunter2",
        "sent Bearer hunter2.hunter2",
        "postgresql://trove:hunter2@db/trove",
        "token=hunter2&x=1",
        "secret: hunter2",
        '"secret": "hun\\"ter2 hunter2"',
    ],
)
def test_secrets_are_not_logged(text: str) -> None:
    assert "hunter2" not in logs.redacted(text)
    assert "***" in logs.redacted(text)


@pytest.mark.parametrize(
    "text",
    ["the user changed a password", "http://127.0.0.1:8779/v1.0", "token issued", "a: b, c=d"],
)
def test_what_is_no_secret_is_logged(text: str) -> None:
    assert logs.redacted(text) == text


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "word",
    ["a", "password", "password ", "password_.-", 'password="', "password='\\", "basic ", "x://u:"],
)
def test_no_text_holds_up_the_log(word: str) -> None:
    """The caller chooses it, 64 KiB at once; read twice over, it would take minutes."""
    text = word * (65536 // len(word))
    for ending in ("", ":", "@"):
        assert logs.redacted(text + ending)


def test_arguments_are_redacted_too(file: Path) -> None:
    log_to(file)
    logging.getLogger("trove.x").warning("options: %s", {"password": "hunter2"})
    assert "hunter2" not in file.read_text()


def test_what_is_bound_in_a_thread_stays_there(file: Path) -> None:
    log_to(file)

    def work() -> None:
        logs.bind(operation="op-1", project=None)
        logging.getLogger("trove.x").info("inside")
        logs.bind(project="p")
        logging.getLogger("trove.x").info("next")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    logging.getLogger("trove.x").info("outside")
    inside, following, outside = map(json.loads, lines_of(file))
    assert inside["operation"] == "op-1"
    assert (following["project"], "operation" in following) == ("p", False)
    assert "operation" not in outside


def test_debug_logs_more(file: Path) -> None:
    log_to(file)
    logging.getLogger("trove.x").debug("silent")
    logging.getLogger().handlers[0].close()
    log_to(file, debug=True)
    logging.getLogger("trove.x").debug("shown")
    assert [json.loads(line)["message"] for line in lines_of(file)] == ["shown"]


def test_stderr_is_json_unless_it_is_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure(Settings())
    logging.getLogger("trove.x").info("as json")
    assert json.loads(capsys.readouterr().err)["message"] == "as json"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.configure(Settings())
    logging.getLogger("trove.x").info("as text")
    assert capsys.readouterr().err.endswith("INFO trove.x as text\n")


def test_syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        syslog.settimeout(10)
        monkeypatch.setattr(logs, "SYSLOG", str(tmp_path / "log"))
        logs.configure(replace(Settings(), use_syslog=True))
        logging.getLogger("trove.x").info("to syslog")
        assert b"to syslog" in syslog.recv(4096)


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="log_file: cannot log to .*missing"):
        log_to(tmp_path / "missing" / "trove.log")


def test_a_machine_without_syslog_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SYSLOG", str(tmp_path / "none"))
    with pytest.raises(Invalid, match="cannot log to .*none"):
        logs.configure(replace(Settings(), use_syslog=True))


def test_a_configuration_of_python_decides_everything(tmp_path: Path, file: Path) -> None:
    ini = tmp_path / "logging.ini"
    ini.write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=file\n[formatters]\nkeys=own\n"
        "[logger_root]\nlevel=INFO\nhandlers=file\n"
        f"[handler_file]\nclass=FileHandler\nargs=('{file}',)\nformatter=own\n"
        "[formatter_own]\nformat=own %(message)s\n"
    )
    logs.configure(Settings(), config_append=ini)
    logging.getLogger("trove.x").info("password=hunter2")
    assert lines_of(file) == ["own password=***"]


def test_a_configuration_as_json(tmp_path: Path, file: Path) -> None:
    config = {
        "version": 1,
        "formatters": {"own": {"()": "trove.logs.TextFormatter"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": str(file), "formatter": "own"}
        },
        "root": {"level": "INFO", "handlers": ["file"]},
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(config))
    logging.getLogger("trove.x")  # there before, and not to be silenced
    logs.configure(Settings(), config_append=path)
    logging.getLogger("trove.x").info("shown")
    assert lines_of(file)[0].endswith("INFO trove.x shown")


@pytest.mark.parametrize(("name", "text"), [("a.json", "{"), ("a.ini", ""), ("a.json", "{}")])
def test_a_wrong_configuration_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Invalid, match="--log-config-append: "):
        logs.configure(Settings(), config_append=tmp_path / name)
    with pytest.raises(Invalid, match="--log-config-append: "):
        logs.configure(Settings(), config_append=tmp_path / "missing.ini")
