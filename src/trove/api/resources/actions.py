"""Actions on instances."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from trove.api.resources.fields import Empty, IdOrUrl, Lenient, Name, Size, Strict, Text


class ResizeVolume(Lenient):
    size: Size


class Resize(Lenient):
    """A flavor, or a volume; `{"volume": 4}` is what one client sends."""

    flavorRef: IdOrUrl | None = None
    volume: Annotated[
        ResizeVolume | None,
        # openstacksdk's resize_volume.
        BeforeValidator(lambda v: {"size": v} if isinstance(v, (int, float, str)) else v),
    ] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Resize:
        if (self.flavorRef is None) == (self.volume is None):
            raise ValueError("either flavorRef or volume is required")
        return self


def _one_action(value: Any) -> Any:
    # force_delete stands beside reset_status where a client means "delete it in any state".
    is_one = isinstance(value, dict) and (
        len(value) == 1 or set(value) == {"reset_status", "force_delete"}
    )
    if not is_one:
        raise ValueError("exactly one action is required")
    return value


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must be an object")
    return value


# openstacksdk sends `{"restart": null}`.
Nothing = Annotated[Empty | None, BeforeValidator(_none_is_empty)]


class InstanceAction(Strict):
    """Exactly one of them."""

    restart: Nothing = None
    # Unlike the others, it has no meaning without its object.
    resize: Annotated[Resize | None, BeforeValidator(_not_null)] = None
    reset_status: Nothing = None
    force_delete: Nothing = None
    promote_to_replica_source: Nothing = None
    eject_replica_source: Nothing = None

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: Any) -> Any:
        return _one_action(value)


class Migrate(Lenient):
    host: Text | None = None


class Rebuild(Lenient):
    image_id: Name


class MgmtAction(Strict):
    """Exactly one of them."""

    stop: Nothing = None
    reboot: Nothing = None
    migrate: Migrate | None = None
    rebuild: Rebuild | None = None
    reset_task_status: Nothing = Field(None, alias="reset-task-status")

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: Any) -> Any:
        return _one_action(value)
