"""The page for operators that lists every setting, written from the settings themselves."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import groupby

from trove.settings import groups
from trove.settings.obsolete import FAMILIES, OBSOLETE, OBSOLETE_OF_ENGINES, OBSOLETE_SECTIONS
from trove.settings.options import (
    ALIASES,
    ENGINE_SECTIONS,
    MOST,
    Option,
    options,
    range_of,
)
from trove.settings.plugins import provider_groups

# The page must read the same wherever it is made, or every build would change it.
COMPUTED = {
    ("state_directory",): "`/var/lib/trove` as root, otherwise `$XDG_DATA_HOME/trove`",
    ("api", "auth"): "`keystone` with `[keystone_authtoken] auth_url`, otherwise `builtin`",
    ("providers", "local", "directory"): "`local` in the state directory",
}
"""Defaults that depend on where the service runs."""

INTRODUCTION = """\
# Settings

<!-- Written by `make docs` from src/trove/settings/; do not edit. -->

Every service and `trove-manage` reads the same settings: INI files as other OpenStack services
have them, then the environment. Later wins.

1. `--config-file FILE` (may be repeated) and the `*.conf` of each `--config-dir DIRECTORY`, in
   the order given, those of a directory sorted by name. Without either: `/etc/trove/trove.conf`
   and `~/.config/trove/trove.conf`, where present.
2. `TROVE_<SECTION>_<OPTION>` of the environment, as `TROVE_DEFAULT_BIND_PORT=8779`,
   `TROVE_DATABASE_CONNECTION=postgresql://trove@db/trove`, `TROVE_LOCAL_ISOLATION=none`.
   `TROVE_STATE_DIRECTORY` alone is short for `TROVE_DEFAULT_STATE_DIRECTORY`.

In a file, `$option` and `${section.option}` stand for another option's value and `$$` for a dollar
sign. A value that is not valid stops the service with a message that names file, section and
option. An unknown option is warned of, with a suggestion; so is one that nothing reads any more.
"""


def page() -> str:
    """The whole page, as Markdown."""
    ordered = sorted(options().values(), key=_order)
    chapters = [_chapter(name, list(rows)) for name, rows in groupby(ordered, _section_of)]
    return "\n".join([INTRODUCTION, *chapters, _sections(), _older(), _obsolete()])


def _section_of(option: Option) -> str:
    return option.section


def _order(option: Option) -> tuple[bool, str, str]:
    return (option.section != "DEFAULT", option.section, option.name)


def _chapter(section: str, rows: list[Option]) -> str:
    head = f"## [{section}]\n\n| option | default | what it is |\n|---|---|---|\n"
    return head + "".join(f"{_row(row)}\n" for row in rows)


def _row(option: Option) -> str:
    meaning = " ".join(filter(None, (_docstring(option), _allowed(option))))
    return f"| `{option.name}` | {_default(option)} | {meaning} |"


def _default(option: Option) -> str:
    if option.path in COMPUTED:
        return COMPUTED[option.path]
    default = option.default
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    return f"`{default}`" if default not in {None, ""} else ""


def _allowed(option: Option) -> str:
    if option.choices:
        return f"One of {', '.join(f'`{choice}`' for choice in option.choices)}."
    if limits := range_of(option):
        low, high = limits
        return f"From {low} to {high}." if high < MOST else f"At least {low}."
    return ""


def _docstring(option: Option) -> str:
    return _docstrings(_group_of(option))[option.path[-1]]


def _group_of(option: Option) -> type:
    if option.path[0] == "providers":
        return provider_groups()[option.section]
    group: object = groups.Settings()
    for part in option.path[:-1]:
        group = getattr(group, part)
    return type(group)


def _docstrings(group: type) -> dict[str, str]:
    """The string that stands under each field, in one line."""
    # A string under a field is no attribute of it: Python forgets it, so it is read from the
    # source.
    body = ast.parse(inspect.getsource(group)).body[0]
    assert isinstance(body, ast.ClassDef)
    return dict(_documented(body))


def _documented(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(docstring))),
            ):
                yield name, " ".join(docstring.split())


def _sections() -> str:
    engines = ", ".join(f"`[{name}]`" for name in ENGINE_SECTIONS)
    return f"""\
## Other sections

`[keystone_authtoken]` is handed to keystonemiddleware as it is, when `[api] auth = keystone`.
Application credentials with access rules are refused then: no call is let through by a rule that
is not held.

{engines} take `ignore_dbs` and `ignore_users`. The section of an installed datastore package takes
any name besides: what it has is set in the package's engines, in place of what is computed from
their size, when their servers start. Names are in lower case.
"""


def _older() -> str:
    rows = "".join(
        f"| `[{section}] {name}` | `[{new_section}] {new_name}` |\n"
        for (section, name), (new_section, new_name) in sorted(ALIASES.items())
    )
    return (
        f"## Older names\n\nThey still work, with a warning.\n\n| older | now |\n|---|---|\n{rows}"
    )


def _obsolete() -> str:
    rows = "".join(f"| `{name}` | {note} |\n" for name, note in sorted(OBSOLETE.items()))
    rows += "".join(f"| `{start}...` | {note} |\n" for start, note in FAMILIES.items())
    engines = "".join(
        f"| `{name}` (of a datastore) | {note} |\n"
        for name, note in sorted(OBSOLETE_OF_ENGINES.items())
    )
    sections = "".join(
        f"| `[{name}]` (all of it) | {note} |\n" for name, note in sorted(OBSOLETE_SECTIONS.items())
    )
    head = "## What nothing reads any more\n\n| option | instead |\n|---|---|\n"
    return f"{head}{rows}{engines}{sections}"
