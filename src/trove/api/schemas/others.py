"""Requests for what this installation does not do yet, checked as far as their shape goes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from trove.api.schemas.fields import Empty, Flag, Lenient, Name, Ref, Size, Strict, Text


class RestoreFromIn(Lenient):
    remote_location: Name
    local_datastore_version_id: Name
    size: Size


class BackupIn(Lenient):
    name: Name
    instance: Ref | None = None
    description: Text | None = None
    parent_id: Ref | None = None
    incremental: Flag | None = None
    swift_container: Text | None = None
    storage_driver: Text | None = None
    restore_from: RestoreFromIn | None = None


class BackupCreate(Lenient):
    backup: BackupIn


# The wire knows no other keys here, though it is lenient almost everywhere else.
class StrategyIn(Strict):
    swift_container: Name
    instance_id: Text | None = None


class StrategyCreate(Lenient):
    backup_strategy: StrategyIn


class ConfigurationIn(Lenient):
    name: Name
    # Which values fit which parameter is the engine's to know, not the schema's.
    values: dict[str, Any]
    description: Text | None = None
    datastore: dict[str, Any] | None = None


class ConfigurationCreate(Lenient):
    configuration: ConfigurationIn


class ConfigurationChange(Lenient):
    configuration: dict[str, Any]


class ModuleCreate(Lenient):
    module: dict[str, Any]


class ModulesApply(Lenient):
    modules: list[dict[str, Any]]


class ClusterIn(Lenient):
    name: Name
    datastore: dict[str, Any]
    instances: Annotated[list[dict[str, Any]], Field(min_length=1)]


class ClusterCreate(Lenient):
    cluster: ClusterIn


class LogAction(Lenient):
    name: Name
    enable: Flag | None = None
    disable: Flag | None = None
    publish: Flag | None = None
    discard: Flag | None = None


class TlsIn(Strict):
    enable: bool | None = None
    mode: Text | None = None
    container_ref: Text | None = None
    password_ref: Text | None = None
    disable: bool | None = None
    rollback: bool | None = None


class TlsAction(Lenient):
    ssl: TlsIn


class OperationAction(Strict):
    cancel: Empty
