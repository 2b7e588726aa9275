"""What exists in the fake infrastructure: records by kind and name, with crash points."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trove.files import create_private, write_private

Record = dict[str, Any]


class FakeWorld:
    """Records in memory or, for several processes, in files of a directory.

    `hook(point)` is called with "before create volume trove-1", "after create volume trove-1"
    and so on for `change` and `delete`; what it raises comes out of the provider.
    """

    def __init__(
        self, directory: Path | None = None, hook: Callable[[str], None] = lambda point: None
    ) -> None:
        self.directory = directory
        self.hook = hook
        self._memory: dict[tuple[str, str], Record] = {}
        self._lock = threading.Lock()

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

    def find(self, kind: str, **wanted: object) -> str | None:
        """The name of a record with these values."""
        for name in (n for k, n in self._keys() if k == kind):
            record = self.get(kind, name) or {}
            if wanted.items() <= record.items():
                return name
        return None

    def create(self, kind: str, name: str, record: Record) -> bool:
        """Whether it was made: not if there is one already."""
        with self._point("create", kind, name):
            if self.directory is None:
                with self._lock:
                    return self._memory.setdefault((kind, name), record) is record
            return create_private(self._path(kind, name), json.dumps(record), durable=False)

    def change(self, kind: str, name: str, **values: object) -> None:
        """Give a record that exists these values."""
        with self._point("change", kind, name), self._lock:
            record = self.get(kind, name)
            if record is None:
                return
            if self.directory is None:
                self._memory[kind, name] = record | values
            else:
                changed = json.dumps(record | values)
                write_private(self._path(kind, name), changed, durable=False)

    def delete(self, kind: str, name: str) -> None:
        with self._point("delete", kind, name):
            if self.directory is None:
                self._memory.pop((kind, name), None)
            else:
                (self.directory / kind / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything."""
        self._memory.clear()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @contextmanager
    def _point(self, verb: str, kind: str, name: str) -> Iterator[None]:
        self.hook(f"before {verb} {kind} {name}")
        yield
        self.hook(f"after {verb} {kind} {name}")

    def _keys(self) -> list[tuple[str, str]]:
        if self.directory is None:
            return list(self._memory)
        # Hidden ones are being written.
        return [(p.parent.name, p.name) for p in self.directory.glob("*/[!.]*")]

    def _path(self, kind: str, name: str) -> Path:
        assert self.directory is not None
        folder = self.directory / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name
