"""The entry through which clients find the service never overwrites another one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from trove.cli.services.standalone.cloud import (
    CLOUD,
    cloud_of,
    ensure_entry,
    entries_of,
    renew,
    share,
    state_file,
    user_file,
    withdraw,
)
from trove.cli.services.standalone.first_start import prepare
from trove.cli.services.wiring import build_installation, build_provider, with_api_certificate
from trove.settings import ApiSettings, Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = Settings(state_directory=tmp_path / "state", api=ApiSettings(bind_host="127.0.0.1"))
    ensure_entry(state_file(made), cloud_of(made, "admin", "default", "a secret"))
    return made


def test_the_entry_is_private_and_complete(settings: Settings) -> None:
    path = state_file(settings)
    assert path.stat().st_mode & 0o777 == 0o600
    entry = entries_of(path)[CLOUD]
    assert entry["auth"]["auth_url"] == "http://127.0.0.1:8779/identity/v3"
    assert entry["auth"]["password"] == "a secret"


def test_it_is_shared_and_withdrawn(settings: Settings) -> None:
    assert share(settings)
    assert share(settings)
    assert entries_of(user_file()) == entries_of(state_file(settings))
    assert user_file().stat().st_mode & 0o777 == 0o600
    withdraw(settings)
    assert not user_file().exists()
    withdraw(settings)


def test_the_users_file_is_whole_at_every_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another content under the name comes by a rename, of what is on the disk already."""
    ensure_entry(user_file(), {})
    clouds = {"work": {"region_name": "x"}} | entries_of(state_file(settings))
    user_file().write_text(yaml.safe_dump({"clouds": clouds}))
    before = user_file().stat().st_ino
    synced: list[int] = []
    fsync = os.fsync

    def sync(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        assert os.fstat(number).st_size > 0
        fsync(number)

    monkeypatch.setattr(os, "fsync", sync)
    withdraw(settings)
    assert set(entries_of(user_file())) == {"work"}
    assert user_file().stat().st_ino != before
    assert synced == [user_file().stat().st_ino, user_file().parent.stat().st_ino]


def test_a_start_finds_an_entry_that_a_power_cut_has_emptied(settings: Settings) -> None:
    state_file(settings).write_text("")
    at_first = replace(settings, provider="fake")
    installation = build_installation(at_first, build_provider(at_first))
    try:
        prepare(installation)
    finally:
        installation.database.dispose()
    entry = entries_of(state_file(settings))[CLOUD]
    assert entry["auth"]["username"] == "admin"
    assert entries_of(user_file())[CLOUD] == entry


def test_what_else_is_in_the_users_file_stays(settings: Settings) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(yaml.safe_dump({"clouds": {"work": {"region_name": "x"}}}))
    assert share(settings)
    assert set(entries_of(user_file())) == {"work", CLOUD}
    withdraw(settings)
    assert set(entries_of(user_file())) == {"work"}


def test_another_cloud_of_that_name_is_left_alone(settings: Settings) -> None:
    other = {"auth": {"auth_url": "https://example.org/v3"}}
    ensure_entry(user_file(), other)
    assert not share(settings)
    withdraw(settings)
    assert entries_of(user_file()) == {CLOUD: other}


def test_any_address_is_reached_on_this_machine() -> None:
    anywhere = Settings(api=ApiSettings(bind_host="0.0.0.0"))
    assert "//127.0.0.1:" in cloud_of(anywhere, "a", "b", "c")["auth"]["auth_url"]


def test_an_empty_file_has_no_entries(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert entries_of(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize(
    ("host", "address"), [("::1", "[::1]"), ("::", "[::1]"), ("10.0.0.4",) * 2]
)
def test_addresses_are_those_that_clients_use(settings: Settings, host: str, address: str) -> None:
    there = replace(settings, api=replace(settings.api, bind_host=host))
    entry = cloud_of(with_api_certificate(there), "a", "b", "c")
    url = entry["auth"]["auth_url"]
    scheme = "http" if host == "::1" else "https"
    assert ("cacert" in entry) == (scheme == "https")
    assert url == f"{scheme}://{address}:{there.api.bind_port}/identity/v3"
    conductor = replace(settings.conductor, bind_host=host, public_url=None)
    assert conductor.url.endswith(
        f"//{'[' + host + ']' if ':' in host else host}:{conductor.bind_port}"
    )


CERTIFICATE = Path("/etc/trove/api.pem")


@pytest.mark.parametrize(
    ("options", "url", "has_authority"),
    [
        ({"bind_port": 9000}, "http://127.0.0.1:9000", False),
        ({"tls": "on"}, "https://127.0.0.1:8779", True),
        ({"tls_certificate": CERTIFICATE}, "https://127.0.0.1:8779", False),
        (
            {"tls_certificate": CERTIFICATE, "public_endpoint": "https://db.example.org/"},
            "https://db.example.org",
            False,
        ),
        (
            {"tls": "on", "public_endpoint": "https://db.example.org"},
            "https://127.0.0.1:8779",
            True,
        ),
    ],
)
def test_the_entry_follows_the_settings(
    settings: Settings, options: dict[str, object], url: str, has_authority: bool
) -> None:
    """And back: what a user added to the entry stays."""
    assert share(settings)
    before = entries_of(state_file(settings))[CLOUD]
    api = replace(settings.api, **options)  # type: ignore[arg-type]
    changed = with_api_certificate(replace(settings, api=api))
    renew(changed)
    entry = entries_of(state_file(settings))[CLOUD]
    assert entry["auth"] == before["auth"] | {"auth_url": f"{url}/identity/v3"}
    authority = str(settings.state_directory / "ca" / "ca.crt") if has_authority else None
    assert entry.get("cacert") == authority
    assert entries_of(user_file())[CLOUD] == entry
    assert share(changed)
    renew(settings)
    assert entries_of(state_file(settings))[CLOUD] == before
    assert entries_of(user_file())[CLOUD] == before


def test_an_authority_of_the_users_stays_beside_the_operators_certificate(
    settings: Settings,
) -> None:
    entry = entries_of(state_file(settings))[CLOUD] | {"cacert": "/etc/ssl/ours.pem"}
    ensure_entry(state_file(settings), entry)
    renew(replace(settings, api=replace(settings.api, tls_certificate=CERTIFICATE)))
    assert entries_of(state_file(settings))[CLOUD]["cacert"] == "/etc/ssl/ours.pem"


def test_the_users_cloud_of_another_service_is_not_renewed(settings: Settings) -> None:
    other = {"auth": {"auth_url": "https://example.org/v3"}}
    ensure_entry(user_file(), other)
    renew(replace(settings, api=replace(settings.api, bind_port=9000)))
    assert entries_of(user_file()) == {CLOUD: other}


def test_an_entry_that_is_true_is_not_written(settings: Settings) -> None:
    before = state_file(settings).stat().st_ino
    renew(settings)
    assert state_file(settings).stat().st_ino == before
