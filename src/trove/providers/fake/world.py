"""What exists in the fake infrastructure: records by kind and name, with crash points."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trove.errors import Unavailable
from trove.files import create_private, write_private
from trove.providers.base import Scope

Record = dict[str, Any]

ASYNCHRONOUS = ("server", "volume")


@dataclass(frozen=True)
class Switches:
    """How the infrastructure behaves badly; by default it does not."""

    pending: int = 0
    """So many looks, or refused changes, after it was begun a change is finished."""
    delay: Callable[[], None] = lambda: None
    """Called before each change, to let time pass."""
    failures: int = 0
    """So often each change fails before it is done."""
    loses_answers: bool = False
    """Whether each change is done the first time without the caller knowing."""


def scope_of(record: Record) -> Scope:
    """Where it was made; a record that a test has made by itself need not say it."""
    return Scope(record.get("project_id"), record.get("availability_zone"))


def is_pending(record: Record, key: str | None = None) -> bool:
    """Whether a change is not finished, of this key if one is given."""
    return "pending" in record and (key is None or key in (record["then"] or {}))


class FakeWorld:
    """Records in memory or, for several processes, in files of a directory.

    `hook(point)` is called with "before create volume trove-1", "after create volume trove-1"
    and so on for `change` and `delete`; what it raises comes out of the provider.
    """

    def __init__(
        self,
        directory: Path | None = None,
        hook: Callable[[str], None] = lambda point: None,
        switches: Switches | None = None,
    ) -> None:
        self.directory = directory
        self.hook = hook
        self.switches = switches or Switches()
        self.requests: list[int] = []
        """How many servers each request for views named."""
        self._memory: dict[tuple[str, str], Record] = {}
        self._noted: set[str] = set()
        self._lock = threading.Lock()
        self._reached: Counter[str] = Counter()

    def everything(self) -> list[str]:
        """What exists: "server/trove-1", "volume/trove-1", "address/10.1.2.3"."""
        return sorted(f"{kind}/{name}" for kind, name in self._keys())

    def get(self, kind: str, name: str) -> Record | None:
        if self.directory is None:
            return self._memory.get((kind, name))
        try:
            found: Record = json.loads((self.directory / kind / name).read_text())
        except FileNotFoundError:
            return None
        return found

    def look(self, kind: str, name: str) -> Record | None:
        """The record, after a little time has passed for a change that is pending."""
        record = self.get(kind, name)
        if record is None or not is_pending(record):
            return record
        record = record | {"pending": record["pending"] - 1}
        if record["pending"] <= 0:
            then = record["then"]
            if then is None:
                self._remove(kind, name)
                return None
            record = {k: v for k, v in record.items() if k not in {"pending", "then"}} | then
        self._replace(kind, name, record)
        return record

    def find(self, kind: str, **wanted: object) -> str | None:
        """The name of a record with these values."""
        for name in (n for k, n in self._keys() if k == kind):
            record = self.get(kind, name) or {}
            if wanted.items() <= record.items():
                return name
        return None

    def note(self, what: str) -> None:
        """Remember this, in all processes; it does not exist for `everything`."""
        if self.directory is None:
            self._noted.add(what)
        else:
            create_private(self._path(f".{what}", what), "", durable=False)

    def has_noted(self, what: str) -> bool:
        if self.directory is None:
            return what in self._noted
        return (self.directory / f".{what}" / what).exists()

    def scopes(self, kind: str) -> dict[str, Scope]:
        """The names that have this kind of thing, each with its scope."""
        records = [(name, self.get(kind, name)) for k, name in self._keys() if k == kind]
        return {r.get("name", name): scope_of(r) for name, r in records if r is not None}

    def create(
        self, kind: str, name: str, record: Record, meanwhile: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether it was made: not if it exists. `meanwhile` shows while the making is pending."""
        with self._point("create", kind, name):
            begun = self._begun(kind, record, {}, meanwhile)
            if self.directory is None:
                with self._lock:
                    return self._memory.setdefault((kind, name), begun) is begun
            return create_private(self._path(kind, name), json.dumps(begun), durable=False)

    def change(
        self,
        kind: str,
        name: str,
        meanwhile: Mapping[str, Any] | None = None,
        **values: object,
    ) -> None:
        """Give a record that exists these values; raises Unavailable while another is pending."""
        with self._point("change", kind, name), self._lock:
            record = self.look(kind, name)
            if record is None:
                return
            if not is_pending(record):
                self._change(kind, name, record, values, meanwhile)
            elif not values.items() <= (record["then"] or {}).items():
                raise Unavailable(f"The {kind} {name} is busy.")

    def delete(self, kind: str, name: str) -> None:
        with self._point("delete", kind, name):
            record = self.get(kind, name)
            if record is None or (is_pending(record) and record["then"] is None):
                return
            if self.switches.pending and kind in ASYNCHRONOUS:
                self._replace(kind, name, self._begun(kind, record, None, None))
            else:
                self._remove(kind, name)

    def clear(self) -> None:
        """Forget everything."""
        self._memory.clear()
        self._noted.clear()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @contextmanager
    def _point(self, verb: str, kind: str, name: str) -> Iterator[None]:
        point = f"{verb} {kind} {name}"
        self.switches.delay()
        self.hook(f"before {point}")
        self._reached[point] += 1
        if self._reached[point] <= self.switches.failures:
            raise Unavailable(f"The infrastructure failed to {point}.")
        yield
        self.hook(f"after {point}")
        if self.switches.loses_answers and self._reached[point] == 1:
            raise Unavailable(f"The infrastructure did not answer to {point}.")

    def _change(
        self,
        kind: str,
        name: str,
        record: Record,
        values: Mapping[str, Any],
        meanwhile: Mapping[str, Any] | None,
    ) -> None:
        if not values.items() <= record.items():
            self._replace(kind, name, self._begun(kind, record, values, meanwhile))

    def _begun(
        self,
        kind: str,
        record: Record,
        then: Mapping[str, Any] | None,
        meanwhile: Mapping[str, Any] | None,
    ) -> Record:
        """The record with a change, at once or pending."""
        if not self.switches.pending or kind not in ASYNCHRONOUS:
            return record | dict(then or {})
        before = {key: record[key] for key in meanwhile or {}}
        after = before | dict(then) if then is not None else None
        pending = {"pending": self.switches.pending, "then": after}
        return record | dict(meanwhile or {}) | pending

    def _keys(self) -> list[tuple[str, str]]:
        if self.directory is None:
            return list(self._memory)
        # Hidden ones are being written.
        return [(p.parent.name, p.name) for p in self.directory.glob("[!.]*/[!.]*")]

    def _replace(self, kind: str, name: str, record: Record) -> None:
        if self.directory is None:
            self._memory[kind, name] = record
        else:
            write_private(self._path(kind, name), json.dumps(record), durable=False)

    def _remove(self, kind: str, name: str) -> None:
        if self.directory is None:
            self._memory.pop((kind, name), None)
        else:
            self._path(kind, name).unlink(missing_ok=True)

    def _path(self, kind: str, name: str) -> Path:
        assert self.directory is not None
        folder = self.directory / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name
