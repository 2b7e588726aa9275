"""What engines are set to by their size, as the API tells it."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from trove.datastores import packages
from trove.services.engine_settings import settings_of
from trove.services.instance_view import InstanceView


def view(manager: str, memory: int = 512) -> InstanceView:
    return cast(
        InstanceView, SimpleNamespace(manager=manager, memory=memory, vcpus=1, volume_size=1)
    )


@pytest.mark.parametrize(
    ("manager", "name"), [("postgresql", "shared_buffers"), ("mariadb", "innodb_buffer_pool_size")]
)
def test_they_grow_with_the_memory(manager: str, name: str) -> None:
    small, large = (settings_of(view(manager, memory)) for memory in (512, 4096))
    assert list(small) == sorted(small)
    assert int(small[name].rstrip("MB")) < int(large[name].rstrip("MB"))


def test_a_package_that_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Any] = {**packages(), "bare": ModuleType("json")}
    monkeypatch.setattr("trove.services.engine_settings.packages", lambda: known)
    monkeypatch.setattr("trove.datastores.packages", lambda: known)
    known["bare"].MANIFEST = None
    assert settings_of(view("bare")) == {}


def test_a_package_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(manager: str, part: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'absent'", name="absent")

    monkeypatch.setattr("trove.services.engine_settings.part_of", broken)
    with pytest.raises(ModuleNotFoundError):
        settings_of(view("mariadb"))
