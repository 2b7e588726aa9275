"""Who has which address or number: a symbolic link for each, from it to the holder's name.

A symbolic link is made with its content in one atomic step, so two can never have the same.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trove.providers.local.layout import make_folder


@dataclass(frozen=True)
class Reservations:
    """The links of one directory."""

    folder: Path

    def of(self, name: str) -> str | None:
        """What this name has."""
        return next((key for key, holder in self._all() if holder == name), None)

    def take(self, key: str, name: str) -> bool:
        """Whether the name has it now; False if another name does."""
        try:
            # Never renamed into place, which would replace another's.
            (make_folder(self.folder) / key).symlink_to(name)
        except FileExistsError:
            return False
        return True

    def release(self, name: str) -> None:
        for key, holder in self._all():
            if holder == name:
                (self.folder / key).unlink(missing_ok=True)

    def holders(self) -> set[str]:
        """The names that have anything."""
        return {holder for _, holder in self._all()}

    def _all(self) -> list[tuple[str, str]]:
        found = []
        for link in list(self.folder.iterdir()) if self.folder.is_dir() else ():
            # Another process may release it between the two looks.
            with suppress(FileNotFoundError):
                if link.is_symlink():
                    found.append((link.name, str(link.readlink())))
        return found
