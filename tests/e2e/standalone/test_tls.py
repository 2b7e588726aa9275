"""An API beyond loopback speaks TLS, and every client of the README works with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.standalone.test_unmodified_client import openstack
from tests.support.standalone import BIN, Service, make_service
from tests.support.waiting import HANG

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

CLIENT = """
import os, sys, openstack
cloud = openstack.connect(cloud="trove")
assert cloud.config.get_auth_args()["auth_url"].startswith("https://")
print([instance.name for instance in cloud.database.instances()])
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """With TLS, on loopback all the same: tests listen nowhere else."""
    made = make_service(TROVE_API_TLS="on")
    made.start()
    try:
        yield made
    finally:
        made.remove()


def entry_of(service: Service) -> dict[str, str]:
    entry: dict[str, str] = yaml.safe_load((service.state / "clouds.yaml").read_text())["clouds"][
        "trove"
    ]
    return entry


def test_the_trove_command_needs_no_option(service: Service) -> None:
    assert service.trove("list") == []
    assert entry_of(service)["cacert"] == str(service.state / "ca" / "ca.crt")


def test_openstack_and_its_sdk(service: Service) -> None:
    assert openstack(service, "instance", "list") == []
    python = Path(os.environ.get("TROVE_OSC_VENV", BIN.parent.parent / ".venv-clients"))
    chosen = {"OS_CLIENT_CONFIG_FILE": str(service.state / "clouds.yaml")}
    done = subprocess.run(
        [str(python / "bin" / "python"), "-c", CLIENT],
        env=service.environ | chosen,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert done.stdout == "[]\n", done.stderr


def curl(service: Service, *options: str) -> subprocess.CompletedProcess[str]:
    url = f"https://127.0.0.1:{service.api_port}/healthcheck"
    program = shutil.which("curl")
    assert program
    return subprocess.run(
        [program, "--silent", "--show-error", *options, url],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(service: Service) -> None:
    answer = curl(service, "--cacert", str(service.state / "ca" / "ca.crt"))
    assert answer.stdout == '{"status":"ok"}', answer.stderr
    assert "certificate" in curl(service).stderr, "without it the answer is not trusted"


def test_status_shows_the_address_and_the_authority(service: Service) -> None:
    shown = service.command("trove-standalone", "status").stdout
    assert f"  API        https://127.0.0.1:{service.api_port}\n" in shown
    assert f"  authority  {service.state / 'ca' / 'ca.crt'}\n" in shown


def test_links_name_the_scheme(service: Service) -> None:
    shown = service.command("trove", "--debug", "list").stderr
    assert f"https://127.0.0.1:{service.api_port}/v1.0/" in shown
    assert "http://" not in shown


def test_the_certificate_is_a_new_one_after_a_restart(service: Service) -> None:
    path = service.state / "ca" / "api-127.0.0.1.pem"
    before = path.read_bytes()
    service.command("trove-standalone", "restart")
    assert path.read_bytes() != before
    assert service.trove("list") == []


def test_the_setting_may_be_changed_and_clients_follow(service: Service) -> None:
    service.stop()
    service.options["TROVE_API_TLS"] = "auto"
    service.start()
    try:
        assert entry_of(service).get("cacert") is None
        assert service.trove("list") == []
    finally:
        service.stop()
        service.options["TROVE_API_TLS"] = "on"
        service.start()
    assert service.trove("list") == []
