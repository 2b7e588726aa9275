"""One attempt at one task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from trove.errors import Invalid
from trove.protocol import TaskOrder

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """What a task asks for, and whether it may be half done."""

    order: TaskOrder
    is_repeated: bool = False
    """An earlier attempt was begun, and nobody knows how far it came."""
    existed: Sequence[str] = ()
    """Of what the task is to create, what was there before the first attempt."""
    tell: Callable[[float, str], None] = lambda progress, note: None
    """How far it is, from 0 to 1, and what is being done."""

    @property
    def args(self) -> dict[str, Any]:
        return self.order.args

    def part(self, name: str, kind: type[T]) -> T:
        """One of the arguments; raises Invalid when it is missing or malformed."""
        try:
            return msgspec.convert(self.args.get(name), kind)
        except msgspec.ValidationError as error:
            raise Invalid(f"{self.order.kind}: {error}", field=name) from None
