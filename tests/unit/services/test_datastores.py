"""Datastores and versions come and go; deleted instances keep theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from trove.datastores.base import Installation as Engine
from trove.errors import AlreadyExists, Invalid, NotFound
from trove.models import Datastore, DatastoreVersion
from trove.providers.fake.catalog import NO_IMAGE
from trove.providers.local.catalog import LocalCatalog
from trove.services import datastores, instances
from trove.services.datastores import VersionChange, VersionOrder
from trove.services.discovery import register
from trove.testing.world import Cloud

ORDER = VersionOrder("15", "postgresql", "postgresql", image="/new", number="15.20")


@pytest.fixture
def admin(cloud: Cloud) -> Any:
    return replace(cloud.caller, is_admin=True)


def deleted_instance(cloud: Cloud) -> str:
    instance_id = cloud.built()
    instances.delete(cloud.installation, cloud.caller, instance_id)
    cloud.drain()
    return instance_id


def rows(cloud: Cloud, table: Any) -> int:
    with cloud.database.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_version_with_instances_stays_and_the_answer_counts_them(
    cloud: Cloud, admin: Any
) -> None:
    deleted_instance(cloud)
    cloud.built(), cloud.built()
    with pytest.raises(Invalid, match=r"2 instance\(s\).*next discovery"):
        datastores.delete_version(cloud.installation, admin, "v-1")
    assert datastores.version_of(cloud.installation, admin, None, "v-1").name == "15"


def test_a_version_without_instances_leaves_nothing(cloud: Cloud, admin: Any) -> None:
    datastores.delete_version(cloud.installation, admin, "v-1")
    datastores.delete(cloud.installation, admin, "postgresql")
    assert (rows(cloud, DatastoreVersion), rows(cloud, Datastore)) == (0, 0)


def test_a_version_that_deleted_instances_had_is_gone_for_everybody(
    cloud: Cloud, admin: Any
) -> None:
    instance_id = deleted_instance(cloud)
    datastores.change_version(cloud.installation, admin, "v-1", VersionChange(default=True))
    datastores.delete_version(cloud.installation, admin, "v-1")
    assert datastores.all_versions(cloud.installation, admin) == []
    assert datastores.show(cloud.installation, admin, "postgresql").versions == []
    assert datastores.show(cloud.installation, admin, "ds-1").default_version is None
    for act in (
        lambda: datastores.delete_version(cloud.installation, admin, "v-1"),
        lambda: datastores.change_version(cloud.installation, admin, "v-1", VersionChange()),
        lambda: datastores.version_of(cloud.installation, admin, None, "v-1"),
        lambda: datastores.version_of(cloud.installation, admin, "postgresql", "15"),
        lambda: cloud.order(datastore="postgresql"),
    ):
        with pytest.raises(Invalid):
            act()
    # The history of what was deleted is complete.
    view = instances.show(cloud.installation, admin, instance_id, deleted=True)
    assert (view.datastore, view.datastore_version) == ("postgresql", "15")


def test_its_datastore_can_be_deleted_too(cloud: Cloud, admin: Any) -> None:
    instance_id = deleted_instance(cloud)
    with pytest.raises(Invalid, match="has versions"):
        datastores.delete(cloud.installation, admin, "postgresql")
    datastores.delete_version(cloud.installation, admin, "v-1")
    datastores.delete(cloud.installation, admin, "postgresql")
    assert datastores.list_all(cloud.installation, admin) == []
    with pytest.raises(NotFound):
        datastores.show(cloud.installation, admin, "postgresql")
    with pytest.raises(Invalid, match="there are: none"):
        cloud.order(datastore="postgresql")
    with pytest.raises(Invalid, match="no datastore is registered"):
        cloud.order()
    view = instances.show(cloud.installation, admin, instance_id, deleted=True)
    assert view.datastore == "postgresql"


@pytest.mark.parametrize("how", ["created", "discovered"])
def test_a_deleted_version_comes_back_under_its_name(cloud: Cloud, admin: Any, how: str) -> None:
    deleted_instance(cloud)
    datastores.delete_version(cloud.installation, admin, "v-1")
    datastores.delete(cloud.installation, admin, "postgresql")
    if how == "created":
        datastores.create_version(cloud.installation, admin, ORDER)
    else:
        with cloud.database.begin() as session:
            register(session, [Engine("postgresql", "15.20", Path("/new"))])
    [version] = datastores.show(cloud.installation, admin, "postgresql").versions
    assert (version.id, version.name, version.image) == ("v-1", "15", "/new")
    assert cloud.order(datastore="postgresql")
    with pytest.raises(AlreadyExists, match="15 already"):
        datastores.create_version(cloud.installation, admin, ORDER)


def test_discovery_leaves_a_disabled_version_disabled(cloud: Cloud, admin: Any) -> None:
    datastores.change_version(cloud.installation, admin, "v-1", VersionChange(active=False))
    with cloud.database.begin() as session:
        register(session, [Engine("postgresql", "15.21", Path("/new"))])
    version = datastores.version_of(cloud.installation, admin, None, "v-1")
    assert (version.number, version.active) == ("15.21", False)


def test_a_name_is_taken_even_by_a_deleted_version(cloud: Cloud, admin: Any) -> None:
    deleted_instance(cloud)
    datastores.delete_version(cloud.installation, admin, "v-1")
    other = replace(ORDER, name="16")
    made = datastores.create_version(cloud.installation, admin, other)
    third = datastores.create_version(cloud.installation, admin, replace(other, name="17"))
    for version, name, why in ((made, "15", "that was deleted"), (third, "16", "already")):
        with pytest.raises(AlreadyExists, match=why):
            datastores.change_version(
                cloud.installation, admin, version.id, VersionChange(name=name)
            )
    datastores.change_version(cloud.installation, admin, made.id, VersionChange(name="16"))


def defaults(cloud: Cloud, caller: Any, name: str | None = None) -> list[str]:
    settings = replace(cloud.settings, default_datastore=name)
    installation = replace(cloud.installation, settings=settings)
    return [v.row.name for v in datastores.list_all(installation, caller) if v.is_default]


def test_the_datastore_that_an_order_without_one_gets_is_marked(cloud: Cloud, admin: Any) -> None:
    datastores.create_version(
        cloud.installation, admin, replace(ORDER, datastore_name="apart", name="16")
    )
    assert defaults(cloud, cloud.caller) == ["postgresql"]
    assert defaults(cloud, cloud.caller, "apart") == ["apart"]
    assert defaults(cloud, cloud.caller, "none") == []
    assert not datastores.show(cloud.installation, cloud.caller, "apart").is_default
    assert cloud.show(cloud.order()).datastore == "postgresql"
    # Without a version that can be ordered, the next one is.
    datastores.change_version(cloud.installation, admin, "v-1", VersionChange(active=False))
    assert defaults(cloud, cloud.caller) == ["apart"]
    assert cloud.show(cloud.order()).datastore == "apart"


def test_without_any_version_the_first_datastore_is_named(cloud: Cloud, admin: Any) -> None:
    datastores.change_version(cloud.installation, admin, "v-1", VersionChange(active=False))
    assert defaults(cloud, admin) == ["postgresql"]
    with pytest.raises(Invalid, match="postgresql has no active version"):
        cloud.order()


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"image": NO_IMAGE}, "image: there is no image"),
        ({"image": NO_IMAGE, "image_tags": ["16"]}, "image: there is no image"),
        ({"image": None, "image_tags": [NO_IMAGE]}, "image_tags: no image has the tag"),
        ({"image": None, "image_tags": []}, "version.image: an image or image_tags are needed"),
    ],
)
def test_a_version_needs_an_image_that_there_is(
    cloud: Cloud, admin: Any, order: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid, match=field):
        datastores.create_version(cloud.installation, admin, replace(ORDER, name="16", **order))
    assert [v.name for v in datastores.all_versions(cloud.installation, admin)] == ["15"]


def test_a_version_keeps_its_image_if_the_new_one_is_none(cloud: Cloud, admin: Any) -> None:
    made = datastores.create_version(cloud.installation, admin, replace(ORDER, name="16"))
    for change, field in (
        (VersionChange(image=NO_IMAGE, active=False), "image: there is no image"),
        (VersionChange(image=NO_IMAGE, image_tags=["16"]), "image: there is no image"),
    ):
        with pytest.raises(Invalid, match=field):
            datastores.change_version(cloud.installation, admin, made.id, change)
    kept = datastores.version_of(cloud.installation, admin, None, made.id)
    assert (kept.image, kept.active) == ("/new", True)
    datastores.change_version(cloud.installation, admin, made.id, VersionChange(image="/newer"))
    datastores.change_version(cloud.installation, admin, made.id, VersionChange(image_tags=["16"]))
    kept = datastores.version_of(cloud.installation, admin, None, made.id)
    assert (kept.image, kept.image_tags) == ("/newer", ["16"])


def test_another_manager_needs_its_programs_in_the_image(
    cloud: Cloud, admin: Any, tmp_path: Path
) -> None:
    (tmp_path / "postgres").touch(mode=0o700)
    cloud.installation = replace(cloud.installation, catalog=LocalCatalog())
    order = replace(ORDER, name="16", image=str(tmp_path))
    made = datastores.create_version(cloud.installation, admin, order)
    with pytest.raises(Invalid, match=r"image: .* with the program mariadbd"):
        change = VersionChange(manager="mariadb")
        datastores.change_version(cloud.installation, admin, made.id, change)


def test_a_version_whose_image_is_gone_can_be_disabled(
    cloud: Cloud, admin: Any, tmp_path: Path
) -> None:
    program = tmp_path / "postgres"
    program.touch(mode=0o700)
    cloud.installation = replace(cloud.installation, catalog=LocalCatalog())
    order = replace(ORDER, name="16", image=str(tmp_path))
    made = datastores.create_version(cloud.installation, admin, order)
    program.unlink()
    change = VersionChange(active=False, name="old")
    datastores.change_version(cloud.installation, admin, made.id, change)
    kept = datastores.version_of(cloud.installation, admin, None, made.id)
    assert (kept.name, kept.active) == ("old", False)
