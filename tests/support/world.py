"""A fake world for durable operations: a cloud in a directory, a clock, and moments to die at.

Everything is recorded, so that something made twice, left behind, or done by two at once is seen.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import String, func, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from trove.db import Database
from trove.engine import (
    ACTIVE,
    Claim,
    ClaimRequest,
    Operation,
    Runner,
    State,
    Workflow,
    cancel,
    start,
    supersede,
    wake,
)
from trove.engine.claims import ClaimedResource
from trove.testing import ManualClock

LEASE = timedelta(seconds=20)


class Crash(BaseException):
    """The process dies here."""


class Recorded(DeclarativeBase):
    """Tables of the fake world, apart from the product's."""


class Effect(Recorded):
    """What a step wrote in its own transaction: once, or the engine is wrong."""

    __tablename__ = "world_effects"

    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(String(36))
    step: Mapped[str] = mapped_column(String(64))


@dataclass
class Cloud:
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
    """What a step of the fake world may touch."""

    session: Session
    operation: Operation
    world: World

    @property
    def cloud(self) -> Cloud:
        return self.world.cloud

    @property
    def subject(self) -> str:
        return self.operation.subject_id

    def record(self, step: str) -> None:
        self.session.add(Effect(operation_id=self.operation.id, step=step))

    def point(self, name: str) -> None:
        self.world.point(name)


@dataclass
class World:
    """A whole control plane in one process: any number of runners, one cloud, one clock."""

    database: Database
    root: Path
    workflows: Mapping[str, Workflow[Context]]
    clock: ManualClock = field(default_factory=ManualClock)
    die_at: int | None = None
    act_at: int | None = None
    action: Callable[[], None] = lambda: None
    failing: dict[str, Exception] = field(default_factory=dict)
    """Points that raise, for as long as they stand here."""
    trace: list[str] = field(default_factory=list)
    ups: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.cloud = Cloud(self.root, self.point)
        Recorded.metadata.create_all(self.database.engine)

    def point(self, name: str) -> None:
        """Something is about to be done: here the process may die, fail, or be interfered with."""
        self.trace.append(name)
        reached = len(self.trace) - 1
        if reached == self.act_at:
            self.action()
        if reached == self.die_at:
            raise Crash(name)
        if name in self.failing:
            raise self.failing[name]

    def runner(self) -> Runner:
        return Runner(
            self.database,
            self.workflows,
            lambda session, operation: Context(session, operation, self),
            clock=self.clock,
            lease=LEASE,
            checkpoint=self.point,
        )

    def begin(
        self,
        workflow: str,
        subject: str | None = None,
        *,
        claims: Sequence[ClaimRequest] = (),
        **args: Any,
    ) -> str:
        """Start a workflow; the id of the operation."""
        with self.database.begin() as session:
            subject = subject or str(uuid.uuid4())
            chosen = self.workflows[workflow]
            started = start(session, chosen, subject, args=args, claims=claims, clock=self.clock)
            return started.id

    def replace(self, operation_id: str, workflow: str) -> str:
        """Supersede an operation by another workflow on its subject, as a delete does."""
        with self.database.begin() as session:
            subject = session.get_one(Operation, operation_id).subject_id
            supersede(session, operation_id, clock=self.clock)
            return start(session, self.workflows[workflow], subject, clock=self.clock).id

    def cancel(self, operation_id: str) -> None:
        with self.database.begin() as session:
            operation = session.get_one(Operation, operation_id)
            cancel(session, operation, self.workflows[operation.workflow], clock=self.clock)

    def wake(self, operation_id: str) -> None:
        with self.database.begin() as session:
            wake(session, operation_id, clock=self.clock)

    def bring_up(self) -> None:
        """The servers that were made come up, and each operation that waits for one is woken."""
        with self.database.begin() as session:
            self.ups |= {name for name in self.cloud.everything() if name.startswith("server/")}
            for operation in session.scalars(_active()):
                if f"server/{operation.subject_id}" in self.ups:
                    wake(session, operation.id, clock=self.clock)

    def drain(self, rounds: int = 60) -> None:
        """Let runners live and die until everything has ended, or the rounds are over."""
        for _ in range(rounds):
            try:
                self.runner().run_until_idle()
            except Crash:
                self.clock.advance(LEASE.total_seconds() + 1)
            self.bring_up()
            if not self.active():
                return
            self.clock.advance(61)

    def active(self) -> list[str]:
        with self.database.begin() as session:
            return [operation.id for operation in session.scalars(_active())]

    def claimed(self) -> list[str]:
        """The resources that are claimed, by the claims and by the resources' own rows."""
        with self.database.begin() as session:
            claims = select(Claim.resource).where(Claim.released.is_(False))
            held = or_(ClaimedResource.holder.is_not(None), ClaimedResource.shared != 0)
            rows = select(ClaimedResource.resource).where(held)
            by_claims, by_rows = set(session.scalars(claims)), set(session.scalars(rows))
        assert by_claims == by_rows
        return sorted(by_claims)

    def look(self, operation_id: str) -> Operation:
        with self.database.begin() as session:
            return session.get_one(Operation, operation_id)

    def state_of(self, operation_id: str) -> State:
        return State(self.look(operation_id).state)

    def repeated_effects(self) -> list[tuple[str, str]]:
        """(operation, step) that wrote more than once."""
        with self.database.begin() as session:
            return repeated_effects(session)


def repeated_effects(session: Session) -> list[tuple[str, str]]:
    counted = select(Effect.operation_id, Effect.step).group_by(Effect.operation_id, Effect.step)
    return [(row[0], row[1]) for row in session.execute(counted.having(func.count() > 1))]


def _active() -> Any:
    return select(Operation).where(Operation.state.in_(ACTIVE)).order_by(Operation.created_at)
