"""Requests of operators that register and change datastore versions."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from trove.api.resources.fields import Bool, Lenient, Name, Strict, Text
from trove.services.datastores import VersionChange, VersionOrder

Tags = list[Text]


# Strict, unlike what tenants send: the wire has it so.
class VersionIn(Strict):
    name: Name
    datastore_name: Name
    datastore_manager: Annotated[Name, Field(max_length=64)]
    image: Text | None = None
    image_tags: Tags = Field(default_factory=list)
    packages: Tags = Field(default_factory=list)
    active: Bool
    default: Bool = False
    version: Annotated[
        Annotated[Text, Field(max_length=64)] | None, BeforeValidator(lambda v: v or None)
    ] = None
    registry_ext: Text | None = None
    repl_strategy: Text | None = None

    def order(self) -> VersionOrder:
        return VersionOrder(
            name=self.name,
            datastore_name=self.datastore_name,
            manager=self.datastore_manager,
            image=self.image,
            image_tags=self.image_tags,
            packages=self.packages,
            registry_ext=self.registry_ext,
            repl_strategy=self.repl_strategy,
            active=self.active,
            default=self.default,
            number=self.version,
        )


class VersionCreate(Lenient):
    version: VersionIn


class VersionPatch(Strict):
    """Stands alone in the body, without a wrapping key."""

    datastore_manager: Annotated[Name, Field(max_length=64)] | None = None
    packages: Tags | None = None
    image: Text | None = None
    image_tags: Tags | None = None
    registry_ext: Text | None = None
    repl_strategy: Text | None = None
    active: Bool | None = None
    default: Bool | None = None
    name: Name | None = None

    def change(self) -> VersionChange:
        return VersionChange(
            name=self.name,
            manager=self.datastore_manager,
            image=self.image,
            image_tags=self.image_tags,
            packages=self.packages,
            registry_ext=self.registry_ext,
            repl_strategy=self.repl_strategy,
            active=self.active,
            default=self.default,
        )
