from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.packages import install
from trove import providers
from trove.entry_points import PROVIDERS
from trove.errors import Invalid
from trove.settings import Settings
from trove.settings.plugins import plugins, provider_groups


@pytest.fixture
def fresh() -> Iterator[None]:
    """Plug-ins are searched for again, and once more afterwards."""
    plugins.cache_clear()
    yield
    plugins.cache_clear()


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


@pytest.mark.usefixtures("fresh")
def test_a_package_elsewhere_cannot_replace_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, PROVIDERS, local="trove.providers.fake:PROVIDER")
    assert providers.create(Settings(state_directory=tmp_path)).name == "local"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ("no_such_module:PROVIDER", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("trove.providers.fake:NOTHING", "AttributeError: "),
        ("trove.providers.fake:__name__", "'trove.providers.fake' is no Plugin"),
    ],
)
def test_a_package_that_cannot_be_used_stops_no_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    entry: str,
    cause: str,
) -> None:
    install(tmp_path, monkeypatch, PROVIDERS, nimbus=entry)
    assert providers.names() == ["fake", "local"]
    assert "nimbus" not in provider_groups()
    assert "nimbus" in caplog.text
    assert cause in caplog.text
