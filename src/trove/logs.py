"""The log: one line a record, as text or JSON, with what it is about, and with no secret in it.

What a record is about (`request_id`, `project`, `operation`) is bound where the work begins and
follows it through threads' own contexts; see `bound`.
"""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from trove.errors import Invalid
from trove.settings.groups import Settings

FIELDS = ("request_id", "project", "operation")
# Not SysLogHandler's own default, UDP port 514, where nothing listens on most machines.
SYSLOG = "/dev/log"

_ESCAPED = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if n != ord("\t")}
_ESCAPED[ord("\n")] = "\\n"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NOTHING)

_WORD = r"(?:password|passwd|secret|token|credential|private_key|authorization)"
_SECRETS = (
    # key = value, "key": "value", key: value; the key may go on for a while. Whatever is matched
    # here is foreign text of any length, so no part of it may be read twice over.
    (
        re.compile(
            rf"(?i)({_WORD}[\w.-]{{0,64}}?[\"']?\s*[:=]\s*)"
            r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|(?:bearer|basic)\s+\S+|[^\s,;&)}\]]+)"
        ),
        r"\1***",
    ),
    # Eight characters at least, or prose that has the word `basic` would lose the next one.
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    # Passwords in URLs, as those of databases and of message buses in older files.
    (re.compile(r"(\w://[^\s:/@]*):[^\s/@]+@"), r"\1:***@"),
)


@contextmanager
def bound(**fields: str | None) -> Iterator[None]:
    """Everything logged in this block is about these: request_id, project, operation."""
    known = {name: value for name, value in fields.items() if value}
    token = _bound.set({**_bound.get(), **known})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**fields: str | None) -> None:
    """From now on this context (a thread's) is about these alone."""
    _bound.set({name: value for name, value in fields.items() if value})


def configure(settings: Settings, *, config_append: Path | None = None) -> None:
    """Set up the log of this process, once, in `main`.

    `config_append` is a file of the standard library's logging configuration, which then decides
    everything; redaction stays. Raises Invalid when a file cannot be used.
    """
    logging.captureWarnings(True)
    # By the factory: a filter of the root logger does not see records that other loggers
    # propagate.
    logging.setLogRecordFactory(_record)
    if config_append is not None:
        _append(config_append)
        return
    handler = _handler_of(settings)
    handler.setFormatter(_formatter_of(settings, handler))
    root = logging.getLogger()
    # In place of what is there: with two handlers every line would come twice.
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if settings.debug else logging.INFO)
    # Their DEBUG, and the INFO of some, would drown what is ours.
    for chatty in ("alembic", "urllib3", "asyncio", "keystoneauth", "stevedore"):
        logging.getLogger(chatty).setLevel(logging.INFO if settings.debug else logging.WARNING)


def redacted(text: str) -> str:
    """The text without the secrets that can be recognised in it."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class TextFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z INFO trove.engine [request_id=req-1] message`"""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in _fields_of(record).items())
        about = f" [{fields}]" if fields else ""
        line = f"{_time_of(record)} {record.levelname} {record.name}{about} {record.getMessage()}"
        if trace := _trace_of(self, record):
            line = f"{line}\n{trace}"
        # What clients and guests sent may stand in the message: a line break in it must not begin a
        # record that looks like ours, and nothing in it may control the terminal.
        return redacted(line).translate(_ESCAPED)


class JsonFormatter(logging.Formatter):
    """An object with timestamp, level, logger, message, and what the record is about."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": _time_of(record),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **_fields_of(record),
        }
        if trace := _trace_of(self, record):
            entry["exception"] = redacted(trace)
        return json.dumps(entry, ensure_ascii=False)


class _Record(logging.LogRecord):
    """A record that remembers what it is about, whichever thread writes it."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.about = _bound.get()

    # Here too, for handlers of --log-config-append have formatters that know nothing of secrets.
    def getMessage(self) -> str:
        return redacted(super().getMessage())


_record = _Record


def _append(path: Path) -> None:
    try:
        if path.suffix == ".json":
            config = json.loads(path.read_text())
            logging.config.dictConfig({"disable_existing_loggers": False, **config})
        else:
            # The library's default silences every logger that exists by now, which are all of ours.
            logging.config.fileConfig(path, disable_existing_loggers=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Invalid(f"{path}: {error}", field="--log-config-append") from None


def _handler_of(settings: Settings) -> logging.Handler:
    try:
        if settings.log_file:
            # Reopens the file when logrotate has moved it away: no signal is needed.
            return logging.handlers.WatchedFileHandler(settings.log_file, encoding="utf-8")
        if settings.use_syslog:
            # The handler itself would complain with every record, and not now.
            Path(SYSLOG).stat()
            return logging.handlers.SysLogHandler(SYSLOG)
    except OSError as error:
        what = settings.log_file or SYSLOG
        raise Invalid(f"cannot log to {what}: {error}", field="log_file") from None
    return logging.StreamHandler(sys.stderr)


def _formatter_of(settings: Settings, handler: logging.Handler) -> logging.Formatter:
    text = settings.log_format == "text"
    if settings.log_format == "auto":
        # People read a terminal, programs all else.
        to_terminal = isinstance(handler, logging.StreamHandler) and handler.stream.isatty()
        text = to_terminal
    return TextFormatter() if text else JsonFormatter()


def _fields_of(record: logging.LogRecord) -> dict[str, str]:
    # Records from before `configure`, and those of libraries that make their own, have none.
    about: Mapping[str, str] = getattr(record, "about", _NOTHING)
    return {name: about[name] for name in FIELDS if name in about}


def _time_of(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    # Formatted by ourselves: logging would keep the unredacted text on the record for others.
    if record.exc_info:
        return formatter.formatException(record.exc_info)
    return record.exc_text or ""
