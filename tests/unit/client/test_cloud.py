"""Where options, the environment and clouds.yaml meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from trove.client.cloud import Cloud, cloud_of
from trove.client.errors import Misconfigured

FILE = """
clouds:
  trove:
    region_name: RegionOne
    auth: {auth_url: "http://own", username: alice, password: pw, tenant_name: demo}
  other:
    auth_type: v3token
    verify: false
    interface: internal
    cacert: /ca.pem
    database_endpoint_override: http://there/v1.0
    database_service_name: trove2
    auth: {auth_url: "http://other", token: t, project_id: p}
"""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def put(place: Path, text: str = FILE) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_options_take_precedence_over_the_environment() -> None:
    environ = {"OS_AUTH_URL": "http://env", "OS_TENANT_NAME": "demo", "OS_USERNAME": "alice"}
    cloud = cloud_of({"auth_url": "http://option", "username": None}, environ)
    assert (cloud.auth_url, cloud.project_name, cloud.username) == (
        "http://option",
        "demo",
        "alice",
    )


def test_nothing_at_all_is_explained(environ: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="Set OS_AUTH_URL.*--os-cloud NAME"):
        cloud_of({}, environ)


def test_our_own_file_is_the_default(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / "home/.config/trove/clouds.yaml")
    put(Path("clouds.yaml"), "clouds: {trove: {auth: {auth_url: 'http://here'}}}")
    cloud = cloud_of({}, environ)
    assert cloud == Cloud(
        auth_url="http://own",
        username="alice",
        password="pw",
        project_name="demo",
        region_name="RegionOne",
    )


def test_the_only_cloud_of_a_usual_file_is_the_next_choice(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"), "clouds: {mine: {auth: {auth_url: 'http://here'}}}")
    assert cloud_of({"region_name": "R"}, environ) == Cloud(auth_url="http://here", region_name="R")


def test_of_several_none_is_chosen(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"), FILE.replace("trove:", "third:", 1))
    with pytest.raises(Misconfigured):
        cloud_of({}, environ)


def test_a_cloud_by_name_from_any_file(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / "home/.config/openstack/clouds.yaml")
    cloud = cloud_of({"os_cloud": "other"}, environ)
    assert cloud == Cloud(
        auth_type="v3token",
        auth_url="http://other",
        token="t",
        project_id="p",
        interface="internal",
        endpoint="http://there/v1.0",
        service_name="trove2",
        cacert="/ca.pem",
        insecure="true",
    )
    assert not cloud.verifies
    assert cloud.public == "internal"


def test_the_environment_names_cloud_and_file(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / "elsewhere.yaml")
    environ |= {"OS_CLOUD": "trove", "OS_CLIENT_CONFIG_FILE": str(tmp_path / "elsewhere.yaml")}
    assert cloud_of({}, environ).auth_url == "http://own"


def test_secrets_may_be_in_a_separate_file(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"), "clouds: {a: {auth: {auth_url: 'http://a', username: u}}}")
    put(Path("secure.yaml"), "clouds: {a: {auth: {password: hidden}}}")
    cloud = cloud_of({"os_cloud": "a"}, environ)
    assert (cloud.username, cloud.password) == ("u", "hidden")


def test_the_error_for_an_unknown_cloud_lists_the_known_ones(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"))
    with pytest.raises(Misconfigured, match=r"name 'x'; there are: trove, other\."):
        cloud_of({"os_cloud": "x"}, environ)


def test_without_any_file_there_is_none(environ: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="there are none"):
        cloud_of({"os_cloud": "x"}, environ)


def test_a_damaged_file_is_named(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"), "clouds: [")
    with pytest.raises(Misconfigured, match=r"clouds\.yaml is not valid YAML"):
        cloud_of({}, environ)


def test_a_file_that_cannot_be_read_is_named(environ: dict[str, str]) -> None:
    Path("clouds.yaml").mkdir()
    with pytest.raises(Misconfigured, match=r"clouds\.yaml cannot be read"):
        cloud_of({}, environ)


def test_another_file_counts_as_none(environ: dict[str, str]) -> None:
    put(Path("clouds.yaml"), "[1, 2]")
    with pytest.raises(Misconfigured, match="No cloud is configured"):
        cloud_of({}, environ)
