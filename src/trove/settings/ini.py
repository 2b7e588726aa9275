"""Reads oslo.config-style INI files: `key = value`, continuation lines, `$other_option`."""

from __future__ import annotations

import configparser
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trove.errors import Invalid


@dataclass(frozen=True)
class Entry:
    """One option as it was written, and where."""

    source: str
    """A file, or the name of an environment variable."""
    section: str
    name: str
    value: str

    @property
    def place(self) -> str:
        # The variable's name says section and option already.
        if self.source.startswith("TROVE_"):
            return self.source
        return f"{self.source}: [{self.section}] {self.name}"


class _Substitution(string.Template):
    """`$name`, `${name}` and `${section.name}`; `$$` is a dollar sign."""

    idpattern = r"(?a:[_a-z][_a-z0-9]*)"
    braceidpattern = r"(?a:[_a-z][_a-z0-9.]*)"


def read_files(paths: Sequence[Path]) -> list[Entry]:
    """Every option of these files in order; raises Invalid for a file that cannot be read."""
    entries = [entry for path in paths for entry in _entries(path)]
    # Over all files together: an option of one may stand for one of another.
    known = {_reference(entry): entry.value for entry in entries}
    return [replace(entry, value=_substitute(entry.value, known)) for entry in entries]


def _entries(path: Path) -> Iterator[Entry]:
    # As oslo.config reads: an option may stand twice, % is nothing special (passwords have it), and
    # DEFAULT is a section like others, not one whose options are copied into all of them.
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, default_section="\0", delimiters=("=", ":")
    )
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read {path}: {error}", field="--config-file") from None
    except configparser.Error as error:
        message = " ".join(str(error).split())
        raise Invalid(f"{path} is not an INI file: {message}", field="--config-file") from None
    for section in parser.sections():
        for name, value in parser.items(section):
            yield Entry(str(path), section, name, _unquoted(value))


def _unquoted(value: str) -> str:
    # oslo.config takes a pair of quotes off too.
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _reference(entry: Entry) -> str:
    return entry.name if entry.section == "DEFAULT" else f"{entry.section}.{entry.name}"


def _substitute(value: str, known: Mapping[str, str]) -> str:
    # What names no option stays as it is: a dollar sign in a password must not stop the service.
    return _Substitution(value).safe_substitute(known) if "$" in value else value
