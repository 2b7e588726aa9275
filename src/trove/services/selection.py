"""What an order names: a datastore version, a flavor, a zone, a kind of volume."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from trove.errors import Invalid
from trove.models.datastore import Datastore, DatastoreVersion
from trove.providers.base import Catalog, Flavor, flavor_of
from trove.settings import Settings

OFFERED = Datastore.deleted_at.is_(None)


def choose_version(
    session: Session, settings: Settings, datastore: str | None, version: str | None
) -> DatastoreVersion:
    """The version that was requested by id, name or number, or the datastore's default.

    Raises Invalid naming `datastore.type` or `datastore.version` and what there is.
    """
    chosen = _datastore(session, settings, datastore)
    active = [v for v in chosen.versions if v.active]
    if version is not None:
        fitting = [v for v in active if version in {v.id, v.name, v.number}]
        if not fitting:
            raise Invalid(
                f"datastore {chosen.name} has no active version {version!r}; "
                f"there are: {_names([v.name for v in active])}",
                field="datastore.version",
            )
        return fitting[0]
    default = [v for v in active if v.id == chosen.default_version_id] or active
    if not default:
        raise Invalid(f"datastore {chosen.name} has no active version", field="datastore.type")
    return default[0]


def choose_flavor(catalog: Catalog, flavor_id: str) -> Flavor:
    """The flavor with this id; raises Invalid naming `flavorRef`."""
    flavor = flavor_of(catalog, flavor_id)
    if flavor is None:
        known = _names([f.id for f in catalog.flavors()])
        raise Invalid(f"no flavor has the id {flavor_id!r}; there are: {known}", field="flavorRef")
    return flavor


def choose_zone(catalog: Catalog, zone: str | None) -> str | None:
    """The zone, if one was requested; raises Invalid naming `availability_zone`."""
    if zone is None:
        return None
    known = catalog.availability_zones()
    if zone not in known:
        raise Invalid(
            f"there is no zone {zone!r}; there are: {_names(list(known))}",
            field="availability_zone",
        )
    return zone


def choose_volume_type(catalog: Catalog, wanted: str | None) -> str | None:
    """The id of the kind of volume, if one was requested; raises Invalid naming `volume.type`."""
    if wanted is None:
        return None
    kinds = catalog.volume_types()
    found = next((kind.id for kind in kinds if wanted in {kind.id, kind.name}), None)
    if found is None:
        raise Invalid(
            f"no volume type is called {wanted!r}; there are: {_names([k.name for k in kinds])}",
            field="volume.type",
        )
    return found


def choose_region(settings: Settings, region: str | None) -> str:
    """This installation's, the only one that there is; raises Invalid naming `region_name`."""
    own = settings.api.region
    if region not in {None, own}:
        raise Invalid(f"there is no region {region!r} here; this is {own}", field="region_name")
    return own


def default_datastore(session: Session, settings: Settings) -> Datastore | None:
    """What is created when an order names no datastore: that of the settings, else the first
    that was registered of those that can be ordered."""
    if settings.default_datastore is not None:
        return _find(session, settings.default_datastore)
    offered = session.scalars(select(Datastore).where(OFFERED).order_by(Datastore.created_at)).all()
    orderable = (each for each in offered if any(v.active for v in each.versions))
    return next(orderable, offered[0] if offered else None)


def _datastore(session: Session, settings: Settings, wanted: str | None) -> Datastore:
    found = _find(session, wanted) if wanted else default_datastore(session, settings)
    if found is not None:
        return found
    name = wanted or settings.default_datastore
    if name is None:
        raise Invalid(
            "no datastore is registered; an operator registers those that this machine has "
            "with `trove-manage datastore_discover`",
            field="datastore",
        )
    known = _names(list(session.scalars(select(Datastore.name).where(OFFERED))))
    raise Invalid(f"no datastore is called {name!r}; there are: {known}", field="datastore.type")


def _find(session: Session, name: str) -> Datastore | None:
    named = select(Datastore).where(or_(Datastore.id == name, Datastore.name == name))
    return session.scalars(named.where(OFFERED)).first()


def _names(names: list[str]) -> str:
    return ", ".join(sorted(names)) or "none"
