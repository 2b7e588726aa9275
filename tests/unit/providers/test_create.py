from pathlib import Path

import pytest

from trove import providers
from trove.errors import Invalid
from trove.settings import Settings


def test_every_folder_is_a_provider() -> None:
    folders = {p.parent.name for p in Path(providers.__file__).parent.glob("*/__init__.py")}
    assert folders == set(providers.names()) >= {"fake", "local"}


def test_every_folder_has_the_same_files() -> None:
    parts = {"compute.py", "volumes.py", "network.py", "catalog.py"}
    for folder in Path(providers.__file__).parent.glob("*/__init__.py"):
        assert parts <= {p.name for p in folder.parent.iterdir()}


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(Invalid, match="'nimbus'; there are: fake, local"):
        providers.create(Settings(provider="nimbus"))
