"""Where settings come from: INI files as other OpenStack services read them, then the environment.

Later wins: the files in the order given, each directory's `*.conf` sorted by name, then
`TROVE_<SECTION>_<OPTION>` variables. Without any file or directory given, the default files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

from trove.errors import Invalid
from trove.settings.groups import Settings
from trove.settings.ini import Entry, read_files
from trove.settings.naming import Target, target_of
from trove.settings.options import ENGINE_SECTIONS, PASSED_ON, options
from trove.settings.plugins import provider_groups
from trove.settings.values import value_of

log = logging.getLogger(__name__)

SYSTEM_FILE = Path("/etc/trove/trove.conf")
OF_CLIENTS = frozenset({"TROVE_DATABASE_PASSWORD", "TROVE_DATABASE_SERVICE_NAME"})
"""Variables of the command-line clients that look like options of a section."""


@dataclass(frozen=True)
class Loaded:
    """The settings, and what an operator should know about the files they came from."""

    settings: Settings
    warnings: tuple[str, ...]
    files: tuple[Path, ...]


def load_settings(
    files: Sequence[Path | str] = (),
    directories: Sequence[Path | str] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of one installation; warnings go to the log.

    Raises Invalid, naming file, section and option, for a value that is not valid.
    """
    loaded = read_settings(files, directories, environ)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return loaded.settings


def read_settings(
    files: Sequence[Path | str] = (),
    directories: Sequence[Path | str] = (),
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """As `load_settings`, with the warnings returned: the log is set up by what is read here."""
    environ = os.environ if environ is None else environ
    paths = _paths(files, directories, environ)
    entries = [*read_files(paths), *_environment(environ)]
    values, warnings = _assign(entries)
    return Loaded(_settings_of(values, environ), tuple(warnings), tuple(paths))


def default_state_directory(environ: Mapping[str, str]) -> Path:
    """`/var/lib/trove` as root; otherwise below `$XDG_DATA_HOME`."""
    if os.geteuid() == 0:
        return Path("/var/lib/trove")
    data_home = environ.get("XDG_DATA_HOME") or str(_home(environ) / ".local/share")
    return Path(data_home) / "trove"


def _paths(
    files: Sequence[Path | str], directories: Sequence[Path | str], environ: Mapping[str, str]
) -> list[Path]:
    if not files and not directories:
        defaults = (SYSTEM_FILE, _home(environ) / ".config/trove/trove.conf")
        # Not an error: a user who may not read the system's file still runs a service of his own.
        return [path for path in defaults if os.access(path, os.R_OK)]
    found = [Path(path) for path in files]
    for directory in map(Path, directories):
        if not directory.is_dir():
            raise Invalid(f"{directory}: there is no such directory", field="--config-dir")
        # By name, so that 10-local.conf wins over 00-default.conf, as operators number them.
        found += sorted(directory.glob("*.conf"))
    return found


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _environment(environ: Mapping[str, str]) -> Iterator[Entry]:
    # Before the others: the long name wins if both are set.
    if state := environ.get("TROVE_STATE_DIRECTORY"):
        yield Entry("TROVE_STATE_DIRECTORY", "DEFAULT", "state_directory", state)
    sections = {section for section, _ in options()} | {*ENGINE_SECTIONS, *PASSED_ON}
    for variable, value in sorted(environ.items()):
        if variable in OF_CLIENTS:
            continue
        for section in sections:
            prefix = f"TROVE_{section.upper()}_"
            if variable.startswith(prefix):
                yield Entry(variable, section, variable.removeprefix(prefix).lower(), value)


def _assign(entries: Sequence[Entry]) -> tuple[dict[tuple[str, ...], Any], list[str]]:
    values: dict[tuple[str, ...], Any] = {}
    warnings: dict[str, None] = {}
    for entry in entries:
        target = target_of(entry)
        if target.warning:
            # A dictionary keeps them in order, and each once, however many files have the line.
            warnings[target.warning] = None
        if target.path:
            values[target.path] = _value(target, entry)
    return values, list(warnings)


def _value(target: Target, entry: Entry) -> Any:
    return value_of(target.option, entry) if target.option else entry.value


def _settings_of(values: dict[tuple[str, ...], Any], environ: Mapping[str, str]) -> Settings:
    values.setdefault(("state_directory",), default_state_directory(environ))
    # An older file says where Keystone is and nothing of [api] auth: it means Keystone.
    if ("keystone_authtoken", "auth_url") in values:
        values.setdefault(("api", "auth"), "keystone")
    defaults = {name: group() for name, group in provider_groups().items()}
    settings: Settings = _with(Settings(providers=defaults), _tree_of(values))
    return settings


def _tree_of(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        branch = tree
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = value
    return tree


def _with(group: Any, tree: Mapping[str, Any]) -> Any:
    """The group with these of its fields replaced, groups below it likewise."""
    if isinstance(group, dict):
        return group | {name: _changed(group.get(name), value) for name, value in tree.items()}
    return replace(group, **{n: _changed(getattr(group, n), value) for n, value in tree.items()})


def _changed(value: Any, change: Any) -> Any:
    """A group is changed field by field, and anything else is replaced."""
    is_group = isinstance(value, dict) or is_dataclass(value)
    return _with(value, change) if is_group and isinstance(change, dict) else change
