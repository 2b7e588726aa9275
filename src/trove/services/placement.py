"""Where an instance is to be: its zone, its networks, its kind of volume.

What is not there is refused; an installation may be set to ignore it, and to show so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.engine import holders_of
from trove.errors import Invalid
from trove.models.instance import Instance
from trove.services.installation import Caller, Installation
from trove.services.instance_order import InstanceOrder
from trove.services.selection import choose_volume_type, choose_zone

T = TypeVar("T")

ADDRESS = "nics.ip_address"


@dataclass(frozen=True)
class Placement:
    """What of an order's wishes can be had."""

    zone: str | None
    volume_type: str | None
    nics: list[dict[str, str]]
    ignored: list[str]
    """The wishes that were dropped, in words for users."""


@dataclass(frozen=True)
class _Choices:
    """Makes choices, and drops those that fail if that is allowed."""

    may_ignore: bool
    ignored: list[str] = field(default_factory=list)

    def of(self, choose: Callable[[], T], otherwise: T) -> T:
        try:
            return choose()
        except Invalid as error:
            # An address without a network is one of this installation's own.
            if not self.may_ignore or error.field == ADDRESS:
                raise
            self.ignored.append(error.message)
            return otherwise


def place(inst: Installation, caller: Caller, session: Session, order: InstanceOrder) -> Placement:
    """Raises Invalid naming `availability_zone`, `volume.type` or `nics`."""
    catalog = inst.catalog_for(caller)

    def choose_nics() -> list[dict[str, str]]:
        address = catalog.check_nics(order.nics)
        if address is not None and _is_taken(session, address):
            raise Invalid(f"{address} is taken; choose another, or leave it out", field=ADDRESS)
        return list(order.nics)

    choices = _Choices(inst.settings.api.ignore_unavailable_placement)
    return Placement(
        zone=choices.of(lambda: choose_zone(catalog, order.availability_zone), None),
        volume_type=choices.of(lambda: choose_volume_type(catalog, order.volume_type), None),
        nics=choices.of(choose_nics, []),
        ignored=choices.ignored,
    )


def _is_taken(session: Session, address: str) -> bool:
    """Whether an instance has it, or is being created with it.

    What else may have it is found when it is allocated: this process may not look there.
    """
    living = select(Instance.id, Instance.nics).where(Instance.deleted_at.is_(None))
    if session.execute(living.where(Instance.address == address).limit(1)).first():
        return True
    without = session.execute(living.where(Instance.address.is_(None)))
    ordered = (row.id for row in without if any(n.get("ip_address") == address for n in row.nics))
    # One whose creation has failed will never have it.
    return any(holders_of(session, each) for each in ordered)
