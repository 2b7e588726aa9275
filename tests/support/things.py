"""Things, made by recipes of the tests: the level of operations without any database as a service.

A thing is a volume and a server, both of them files. What is made twice, left behind, or done by
two at once is seen.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sqlalchemy import String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from trove.engine import ACTIVE, Operation, Workflow, wake
from trove.testing.world import Metadata, Operations


class Recorded(DeclarativeBase):
    """Tables of the things, apart from the product's."""


class Effect(Recorded):
    """What a step wrote in its own transaction: once, or the engine is wrong."""

    __tablename__ = "thing_effects"

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(String(36))
    step: Mapped[str] = mapped_column(String(64))


@dataclass
class Inventory:
    """Volumes and servers as files: `kind/subject.serial`, found by their subject."""

    root: Path
    point: Callable[[str], None] = lambda name: None

    def ensure(self, kind: str, subject: str) -> None:
        with self._alone(subject):
            self.point(f"before {kind}")
            if not self.found(kind, subject):
                self.point(f"making {kind}")
                self._folder(kind).joinpath(f"{subject}.{uuid.uuid4().hex[:8]}").touch()
            self.point(f"after {kind}")

    def remove(self, kind: str, subject: str) -> None:
        with self._alone(subject):
            self.point(f"before no {kind}")
            for path in self.found(kind, subject):
                path.unlink(missing_ok=True)
            self.point(f"after no {kind}")

    def found(self, kind: str, subject: str) -> list[Path]:
        return sorted(self._folder(kind).glob(f"{subject}.*"))

    def everything(self) -> list[str]:
        """`kind/subject` of all that there is; one that was made twice is there twice."""
        return sorted(
            f"{kind}/{path.name.partition('.')[0]}"
            for kind in ("server", "volume")
            for path in self._folder(kind).iterdir()
        )

    def collisions(self) -> list[str]:
        """Subjects on which two steps were at work at the same time, and for how long one was."""
        found = sorted(self._folder("collision").iterdir())
        return [f"{path.name} {path.read_text()}".strip() for path in found]

    @contextmanager
    def _alone(self, subject: str) -> Iterator[None]:
        with self._folder("lock").joinpath(subject).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = time.monotonic() - self._since(lock)
                self._folder("collision").joinpath(subject).write_text(f"held for {held:.2f} s")
            else:
                lock.truncate(0)
                lock.write(f"{time.monotonic()}")
                lock.flush()
            yield

    def _since(self, lock: TextIO) -> float:
        lock.seek(0)
        return float(lock.read() or time.monotonic())

    def _folder(self, kind: str) -> Path:
        folder = self.root / kind
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class Context:
    """What a step of a thing may touch."""

    session: Session
    operation: Operation
    world: Things

    @property
    def inventory(self) -> Inventory:
        return self.world.inventory

    @property
    def subject(self) -> str:
        return self.operation.subject_id

    def record(self, step: str) -> None:
        self.session.add(Effect(operation_id=self.operation.id, step=step))

    def point(self, name: str) -> None:
        self.world.point(name)


class Things(Operations):
    """Any number of runners, the inventory, and servers that come up."""

    def __init__(
        self,
        metadata: Metadata,
        root: Path,
        workflows: Mapping[str, Workflow[Context]],
        failing: dict[str, Exception] | None = None,
    ) -> None:
        super().__init__(metadata, workflows)
        self.failing |= failing or {}
        self.ups: set[str] = set()
        root.mkdir(parents=True, exist_ok=True)
        self.inventory = Inventory(root, self.point)
        Recorded.metadata.create_all(self.database.engine)

    def context_of(self, session: Session, operation: Operation) -> Context:
        return Context(session, operation, self)

    def react(self) -> None:
        self.bring_up()

    def bring_up(self) -> None:
        """The servers that were made come up, and each operation that waits for one is woken."""
        with self.database.begin() as session:
            made = self.inventory.everything()
            self.ups |= {name for name in made if name.startswith("server/")}
            going = select(Operation).where(Operation.state.in_(ACTIVE))
            for operation in session.scalars(going.order_by(Operation.created_at)):
                if f"server/{operation.subject_id}" in self.ups:
                    wake(session, operation.id, clock=self.clock)

    def repeated_effects(self) -> list[tuple[str, str]]:
        """(operation, step) that wrote more than once."""
        with self.database.session() as session:
            return repeated_effects(session)


def repeated_effects(session: Session) -> list[tuple[str, str]]:
    counted = select(Effect.operation_id, Effect.step).group_by(Effect.operation_id, Effect.step)
    return [(row[0], row[1]) for row in session.execute(counted.having(func.count() > 1))]
