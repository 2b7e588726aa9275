"""Prints the result of a command: table, json, yaml, csv or bare values.

Tables and values are for people and shells, and show columns; json and yaml are for programs, and
show the whole object as returned by the service, unless columns are chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from trove.cli.table import print_table, printable
from trove.client.wire import Json

Item = Mapping[str, Any]
Getter = str | Callable[[Item], Any]
"""A dotted path into the item, or a function of it."""
Columns = Mapping[str, Getter]
"""Header -> where its value is."""

NAMING = ("name", "address", "id")
"""The keys by which people identify an object, the best first."""

FORMATS = ("table", "json", "yaml", "csv", "value")
IN_JSON = {n: f"\\u{n:04x}" for n in range(127, 160)}
"""The controls that `json` itself does not escape."""
GREEN, YELLOW, RED = "\x1b[32m", "\x1b[33m", "\x1b[31m"
COLOURS = {
    GREEN: "ACTIVE HEALTHY COMPLETED succeeded Enabled Published on",
    RED: "ERROR FAILED BLOCKED DELETE_FAILED failed cancelled Unavailable",
    YELLOW: "NEW BUILD BUILDING SAVING REBOOT RESIZE BACKUP SHUTDOWN RESTART_REQUIRED PROMOTE "
    "EJECT UPGRADE DETACH LOGGING running undoing superseded",
}
COLOUR_OF = {word: colour for colour, words in COLOURS.items() for word in words.split()}


@dataclass(frozen=True)
class Output:
    """The format and the stream that the user chose."""

    stream: TextIO
    format: str = "table"
    chosen: tuple[str, ...] = ()
    """Headers or keys, in any case; empty for all."""
    coloured: bool = False

    def show_list(self, items: Sequence[Item], columns: Columns) -> None:
        picked = self._pick(columns)
        if self.format in ("json", "yaml"):
            self._dump([_narrowed(item, picked) if self.chosen else item for item in items])
            return
        rows = [[value_at(item, getter) for getter in picked.values()] for item in items]
        self._print_rows(list(picked), rows)

    def show_one(self, item: Item, flat: Item | None = None) -> None:
        """`flat` is the item as people read it, one value per line."""
        lines = flattened(item) if flat is None else flat
        picked = self._pick({name: name for name in lines})
        if self.format in ("json", "yaml"):
            # Chosen columns are those of the table, whatever the structure of the object.
            self._dump({name: lines[name] for name in picked} if self.chosen else item)
        elif self.format == "table":
            rows = [[name, lines[name]] for name in picked]
            self._print_table(["Property", "Value"], rows)
        else:
            self._print_rows(list(picked), [[lines[name] for name in picked]])

    def _pick(self, columns: Columns) -> Columns:
        if not self.chosen:
            return columns
        known = {_plain(header): header for header in columns}
        missing = [wanted for wanted in self.chosen if _plain(wanted) not in known]
        if missing:
            # An empty column would look like a result to a script.
            raise ValueError(f"There is no column '{missing[0]}'; there are: {', '.join(columns)}.")
        return {known[_plain(wanted)]: columns[known[_plain(wanted)]] for wanted in self.chosen}

    def _dump(self, document: Any) -> None:
        if self.format == "json":
            text = json.dumps(document, indent=2, ensure_ascii=False)
            print(text.translate(IN_JSON), file=self.stream)
            return
        import yaml  # noqa: PLC0415 - slow to import, and rarely used

        yaml.safe_dump(document, self.stream, sort_keys=False, allow_unicode=True)

    def _print_rows(self, headers: list[str], rows: list[list[Any]]) -> None:
        if self.format == "csv":
            import csv  # noqa: PLC0415 - rarely used

            # The default adds a carriage return, which `cut` and `grep` would see as text.
            writer = csv.writer(self.stream, lineterminator="\n")
            writer.writerow(headers)
            writer.writerows([text_of(value) for value in row] for row in rows)
        elif self.format == "value":
            for row in rows:
                print(*(printable(text_of(value)) for value in row), file=self.stream)
        else:
            self._print_table(headers, rows)

    def _print_table(self, headers: list[str], rows: list[list[Any]]) -> None:
        # An empty cell would look like a missing value.
        cells = [[text_of(value) or "-" for value in row] for row in rows]
        colours = COLOUR_OF if self.coloured else {}
        print_table(headers, cells, stream=self.stream, colour_of=colours.get)


def value_at(item: Item, getter: Getter) -> Any:
    if callable(getter):
        return getter(item)
    value: Any = item
    for key in getter.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text_of(value: Any) -> str:
    """For people: an object is shown by its name, or else as `key=value, ..`."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _text_of_mapping(_without_links(value))
    if isinstance(value, list | tuple):
        return ", ".join(text_of(part) for part in value)
    return str(value)


def _text_of_mapping(value: Item) -> str:
    for key in NAMING:
        if value.get(key) is not None:
            return str(value[key])
    return pairs_of(value)


def pairs_of(value: Item) -> str:
    """`a=1, b=(x, y)`, without empty values."""
    filled = {key: part for key, part in value.items() if part not in (None, "", [], {})}
    return ", ".join(f"{key}={_inner_text(part)}" for key, part in filled.items())


def _inner_text(value: Any) -> str:
    alone = not isinstance(value, Mapping | list) or (isinstance(value, list) and len(value) == 1)
    return text_of(value) if alone else f"({text_of(value)})"


def flattened(item: Item) -> Json:
    """One value per line: no links, `{"id"}` as the id, other objects as `name_key`."""
    flat: Json = {}
    for name, value in item.items():
        if name == "links" or name.endswith("_links"):
            continue
        inner = _without_links(value) if isinstance(value, Mapping) else None
        if not inner:
            flat[name] = value
        elif set(inner) <= {"id", "name"}:
            flat[name] = inner.get("id", inner.get("name"))
        else:
            flat |= {f"{name}_{key}": part for key, part in inner.items()}
    return flat


def _without_links(value: Item) -> Json:
    return {key: part for key, part in value.items() if key != "links"}


def _narrowed(item: Item, columns: Columns) -> Json:
    return {header: value_at(item, getter) for header, getter in columns.items()}


def _plain(header: str) -> str:
    return header.lower().replace(" ", "_").replace("-", "_")
