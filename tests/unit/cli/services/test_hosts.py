"""The certificate of a service has every name and address by which callers may know it."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.cli.services.hosts import LOOPBACK, hosts_of


class Address(NamedTuple):
    """As far as psutil's is read."""

    family: int
    address: str


INTERFACES = {
    "lo": [Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")],
    "eth0": [
        Address(socket.AF_INET, "10.1.2.2"),
        Address(socket.AF_INET6, "2001:db8::7"),
        Address(socket.AF_INET6, "fe80::7%eth0"),
        Address(psutil.AF_LINK, "02:00:00:00:00:07"),
    ],
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "db7")
    monkeypatch.setattr(socket, "getfqdn", lambda name: f"{name}.example.org")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: INTERFACES)


EVERYTHING = [
    "localhost",
    "127.0.0.1",
    "::1",
    "db7",
    "db7.example.org",
    "10.1.2.2",
    "2001:db8::7",
]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("bind_host", "public", "expected"),
    [
        ("10.1.2.2", None, ["10.1.2.2"]),
        ("db.example.org", None, ["db.example.org"]),
        ("0.0.0.0", None, EVERYTHING),  # noqa: S104
        ("::", None, EVERYTHING),
        ("10.1.2.2", "https://trove.example.org:8779/", ["10.1.2.2", "trove.example.org"]),
        ("10.1.2.2", "https://[2001:db8::9]", ["10.1.2.2", "2001:db8::9"]),
        ("10.1.2.2", "https://10.1.2.2:8779", ["10.1.2.2"]),
        ("10.1.2.2", "no address at all", ["10.1.2.2"]),
        ("::", "https://db7.example.org", EVERYTHING),
    ],
)
def test_what_is_in_a_certificate(bind_host: str, public: str | None, expected: list[str]) -> None:
    assert hosts_of(bind_host, public) == expected


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("name", ["", "x" * 254, "dätabase"])
def test_a_name_that_no_certificate_may_have_is_left_out(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "getfqdn", lambda _: name)
    assert name not in hosts_of("::", None)


def test_every_address_of_this_machine_can_stand_in_a_url() -> None:
    name = socket.gethostname()
    found = hosts_of("0.0.0.0", None)  # noqa: S104
    assert found[: len(LOOPBACK)] == list(LOOPBACK)
    numbers = set(found) - {"localhost", name, socket.getfqdn(name)}
    assert not [text for text in numbers if ipaddress.ip_address(text).is_link_local]


@given(st.ip_addresses(v=4).filter(lambda a: str(a) != "0.0.0.0"))  # noqa: S104
def test_an_address_that_is_bound_is_the_only_one(address: ipaddress.IPv4Address) -> None:
    assert hosts_of(str(address), None) == [str(address)]
