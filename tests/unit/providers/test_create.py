from collections.abc import Iterator
from pathlib import Path

import pytest

from trove import providers
from trove.errors import Invalid
from trove.settings import Settings
from trove.settings.plugins import plugins


@pytest.fixture
def fresh() -> Iterator[None]:
    """Plug-ins are searched for again, and once more afterwards."""
    plugins.cache_clear()
    yield
    plugins.cache_clear()


def install(site: Path, monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    """Metadata as an installed package has it."""
    metadata = site / "other-1.0.dist-info"
    metadata.mkdir()
    lines = ["[trove.providers]", *(f"{name} = {value}" for name, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))


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
    install(tmp_path, monkeypatch, local="trove.providers.fake:PROVIDER")
    assert providers.create(Settings(state_directory=tmp_path)).name == "local"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("entry", ["no_such_module:PROVIDER", "trove.providers.fake:NOTHING"])
def test_a_package_that_cannot_be_imported_stops_no_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    entry: str,
) -> None:
    install(tmp_path, monkeypatch, nimbus=entry)
    assert providers.names() == ["fake", "local"]
    assert "the provider nimbus cannot be used" in caplog.text
