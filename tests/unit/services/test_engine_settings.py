"""What engines are set to by their size, as the API shows it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from trove.datastores import datastore_of
from trove.services.engine_settings import settings_of
from trove.services.instance_view import InstanceView


def view(manager: str, memory: int = 512) -> InstanceView:
    return cast(
        InstanceView,
        SimpleNamespace(
            manager=manager, row=SimpleNamespace(memory=memory, vcpus=1, volume_size=1)
        ),
    )


@pytest.mark.parametrize(
    ("manager", "name"), [("postgresql", "shared_buffers"), ("mariadb", "innodb_buffer_pool_size")]
)
def test_they_grow_with_the_memory(manager: str, name: str) -> None:
    small, large = (settings_of(view(manager, memory)) for memory in (512, 4096))
    assert list(small) == sorted(small)
    assert int(small[name].rstrip("MB")) < int(large[name].rstrip("MB"))


def test_a_datastore_that_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(datastore_of("postgresql"), sizes=None)
    monkeypatch.setattr("trove.services.engine_settings.datastore_of", lambda manager: bare)
    assert settings_of(view("bare")) == {}
