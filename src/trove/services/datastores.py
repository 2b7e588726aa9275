"""The engines that tenants may use, and what operators do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from trove.datastores import manifest_of
from trove.db import new_id
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.models.datastore import Datastore, DatastoreVersion
from trove.models.instance import Instance
from trove.services.installation import Caller, Installation
from trove.services.selection import OFFERED, default_datastore


@dataclass(frozen=True)
class DatastoreView:
    """A datastore with those of its versions that the caller may see."""

    row: Datastore
    versions: Sequence[DatastoreVersion]
    is_default: bool = False
    """Whether it is created when an order names no datastore."""

    @property
    def default_version(self) -> str | None:
        """The default's id, unless the caller may not see it."""
        seen = {version.id for version in self.versions}
        return self.row.default_version_id if self.row.default_version_id in seen else None


@dataclass(frozen=True)
class VersionOrder:
    """A new version, as an operator describes it."""

    name: str
    datastore_name: str
    manager: str
    image: str | None = None
    image_tags: Sequence[str] = ()
    packages: Sequence[str] = ()
    registry_ext: str | None = None
    repl_strategy: str | None = None
    active: bool = True
    default: bool = False
    number: str | None = None


@dataclass(frozen=True)
class VersionChange:
    """What is to be different; None stays as it is."""

    name: str | None = None
    manager: str | None = None
    image: str | None = None
    image_tags: Sequence[str] | None = None
    packages: Sequence[str] | None = None
    registry_ext: str | None = None
    repl_strategy: str | None = None
    active: bool | None = None
    default: bool | None = None


def list_all(inst: Installation, caller: Caller) -> list[DatastoreView]:
    """Datastores by name; those without an active version are for administrators."""
    with inst.database.session() as session:
        rows = session.scalars(select(Datastore).where(OFFERED).order_by(Datastore.name)).all()
        default = default_datastore(session, inst.settings)
    views = [_view_of(row, caller, default) for row in rows]
    return [view for view in views if caller.is_admin or view.versions]


def show(inst: Installation, caller: Caller, name: str) -> DatastoreView:
    """One datastore by id or name; raises NotFound."""
    with inst.database.session() as session:
        default = default_datastore(session, inst.settings)
        view = _view_of(_find(session, name), caller, default)
    if not (caller.is_admin or view.versions):
        raise _unknown(name)
    return view


def version_of(
    inst: Installation, caller: Caller, datastore: str | None, version: str
) -> DatastoreVersion:
    """One version by id, name or number; without a datastore, by id alone.

    Raises NotFound for the datastore, and Invalid for the version, as clients expect.
    """
    if datastore is None:
        with inst.database.session() as session:
            found = _living_version(session, version)
        return _seen([found] if found else [], caller, version)
    fitting = show(inst, caller, datastore).versions
    return _seen([v for v in fitting if version in {v.id, v.name, v.number}], caller, version)


def all_versions(inst: Installation, caller: Caller) -> Sequence[DatastoreVersion]:
    """Every version of every datastore, for administrators."""
    caller.must_be_admin()
    with inst.database.session() as session:
        query = (
            select(DatastoreVersion).join(Datastore).where(DatastoreVersion.deleted_at.is_(None))
        )
        return session.scalars(query.order_by(Datastore.name, DatastoreVersion.name)).all()


def create_version(inst: Installation, caller: Caller, order: VersionOrder) -> DatastoreVersion:
    """Register a version, and its datastore if it is the first; raises Invalid."""
    caller.must_be_admin()
    _check_manager(order.manager)
    if not (order.image or order.image_tags):
        raise Invalid("an image or image_tags are needed", field="version.image")
    _check_image(inst, order.manager, order.image, order.image_tags)
    with inst.database.begin() as session:
        datastore = ensure_datastore(session, order.datastore_name)
        number = order.number or order.name
        version = _new_version(session, datastore, order.name, number)
        version.manager = order.manager
        version.image = order.image
        version.image_tags = list(order.image_tags)
        version.packages = list(order.packages)
        version.registry_ext = order.registry_ext
        version.repl_strategy = order.repl_strategy
        version.active = order.active
        if order.default:
            datastore.default_version_id = version.id
    return version


def change_version(
    inst: Installation, caller: Caller, version_id: str, change: VersionChange
) -> None:
    """Change a version; raises Invalid."""
    caller.must_be_admin()
    if change.manager is not None:
        _check_manager(change.manager)
    _check_changed_image(inst, version_id, change)
    with inst.database.begin() as session:
        version = _find_version(session, version_id)
        _check_new_name(session, version, change.name)
        for column, value in _values_of(change).items():
            setattr(version, column, value)
        _set_default(version, change.default)


def delete_version(inst: Installation, caller: Caller, version_id: str) -> None:
    """Remove a version; raises Invalid while there are instances of it.

    The next discovery registers it again while its engine is installed.
    """
    caller.must_be_admin()
    with inst.database.begin() as session:
        version = _find_version(session, version_id)
        living, deleted = _instances_of(session, version)
        if living:
            raise Invalid(
                f"datastore version {version.name} has {living} instance(s); delete them first, or "
                "set active to false: that hides it, and the next discovery leaves it so"
            )
        _set_default(version, False)
        if deleted:
            version.deleted_at = inst.clock.now(session)
        else:
            session.delete(version)


def delete(inst: Installation, caller: Caller, name: str) -> None:
    """Remove a datastore that has no versions; raises NotFound, Invalid."""
    caller.must_be_admin()
    with inst.database.begin() as session:
        datastore = _find(session, name)
        if datastore.versions:
            raise Invalid(f"datastore {datastore.name} has versions; delete them first")
        kept = select(DatastoreVersion.id).where(DatastoreVersion.datastore_id == datastore.id)
        if session.execute(kept.limit(1)).first():
            datastore.deleted_at = inst.clock.now(session)
        else:
            session.delete(datastore)


def ensure_datastore(session: Session, name: str) -> Datastore:
    """The datastore of this name, made if there is none."""
    found = session.scalars(select(Datastore).where(Datastore.name == name)).first()
    if found is not None:
        found.deleted_at = None
        return found
    datastore = Datastore(id=new_id(), name=name)
    session.add(datastore)
    session.flush()
    return datastore


def _view_of(row: Datastore, caller: Caller, default: Datastore | None) -> DatastoreView:
    versions = [v for v in row.versions if v.active or caller.is_admin]
    in_order = sorted(versions, key=lambda v: (v.name, v.number))
    return DatastoreView(row, in_order, default is not None and default.id == row.id)


def _find(session: Session, name: str) -> Datastore:
    query = select(Datastore).where(or_(Datastore.id == name, Datastore.name == name))
    found = session.scalars(query.where(OFFERED)).first()
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> NotFound:
    return NotFound(f"Datastore {name!r} could not be found.")


def _find_version(session: Session, version_id: str) -> DatastoreVersion:
    found = _living_version(session, version_id)
    if found is None:
        raise _unknown_version(version_id)
    return found


def _living_version(session: Session, version_id: str) -> DatastoreVersion | None:
    found = session.get(DatastoreVersion, version_id)
    return found if found is not None and found.deleted_at is None else None


def _instances_of(session: Session, version: DatastoreVersion) -> tuple[int, int]:
    """How many there are, and how many were deleted."""
    of_version = select(func.count(), func.count(Instance.deleted_at)).where(
        Instance.datastore_version_id == version.id
    )
    every, deleted = session.execute(of_version).one()
    return every - deleted, deleted


def _seen(found: Sequence[DatastoreVersion], caller: Caller, version: str) -> DatastoreVersion:
    for each in found:
        if each.active or caller.is_admin:
            return each
    raise _unknown_version(version)


def _unknown_version(version: str) -> Invalid:
    return Invalid(f"Datastore version {version!r} could not be found.")


def _check_manager(manager: str) -> None:
    try:
        manifest_of(manager)
    except NotFound as error:
        raise Invalid(error.message, field="datastore_manager") from None


def _check_changed_image(inst: Installation, version_id: str, change: VersionChange) -> None:
    """One whose image is gone can still be renamed or disabled."""
    if (change.manager, change.image, change.image_tags) == (None, None, None):
        return
    with inst.database.session() as session:
        version = _find_version(session, version_id)
    tags = version.image_tags if change.image_tags is None else change.image_tags
    _check_image(inst, change.manager or version.manager, change.image or version.image, tags)


def _check_image(inst: Installation, manager: str, image: str | None, tags: Sequence[str]) -> None:
    manifest = manifest_of(manager)
    inst.catalog.check_image(image, tags, (manifest.program, *manifest.other_programs))


def _new_version(
    session: Session, datastore: Datastore, name: str, number: str
) -> DatastoreVersion:
    """A new row, or that of a deleted version of this name; raises AlreadyExists."""
    found = _version_called(session, datastore, name, number)
    if found is None:
        found = DatastoreVersion(id=new_id(), datastore_id=datastore.id, name=name, number=number)
        session.add(found)
    elif found.deleted_at is None:
        raise AlreadyExists(f"datastore {datastore.name} has a version {name} already")
    found.deleted_at = None
    return found


def _version_called(
    session: Session, datastore: Datastore, name: str, number: str
) -> DatastoreVersion | None:
    query = select(DatastoreVersion).where(
        DatastoreVersion.datastore_id == datastore.id,
        DatastoreVersion.name == name,
        DatastoreVersion.number == number,
    )
    return session.scalars(query).first()


def _check_new_name(session: Session, version: DatastoreVersion, name: str | None) -> None:
    if name in {None, version.name}:
        return
    taken = _version_called(session, version.datastore, str(name), version.number)
    if taken is not None:
        state = "already" if taken.deleted_at is None else "that was deleted; create it again"
        raise AlreadyExists(f"datastore {version.datastore.name} has a version {name} {state}")


def _values_of(change: VersionChange) -> dict[str, Any]:
    given = {f.name: getattr(change, f.name) for f in fields(change) if f.name != "default"}
    return {name: value for name, value in given.items() if value is not None}


def _set_default(version: DatastoreVersion, default: bool | None) -> None:
    datastore = version.datastore
    if default:
        datastore.default_version_id = version.id
    elif default is False and datastore.default_version_id == version.id:
        datastore.default_version_id = None
