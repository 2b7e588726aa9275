"""The certificate of a service has every name and address by which callers may know it."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.cli.services.hosts import hosts_of

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.0.0/16 2 0 2
        +-- 10.1.2.0/30 2 0 2
           |-- 10.1.2.0
              /30 link UNICAST
           |-- 10.1.2.2
              /32 host LOCAL
        |-- 10.1.255.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
Local:
           |-- 10.1.2.2
              /32 host LOCAL
"""
INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000007 02 40 00 00     eth0
fe800000000000000000000000000007 02 40 20 80     eth0
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(socket, "gethostname", lambda: "db7")
    monkeypatch.setattr(socket, "getfqdn", lambda name: f"{name}.example.org")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "fib_trie").write_text(TRIE)
    (tmp_path / "net" / "if_inet6").write_text(INET6)
    return tmp_path


EVERYTHING = [
    "localhost",
    "127.0.0.1",
    "::1",
    "db7",
    "db7.example.org",
    "10.1.2.2",
    "2001:db8::7",
]


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
def test_what_is_in_a_certificate(
    proc: Path, bind_host: str, public: str | None, expected: list[str]
) -> None:
    assert hosts_of(bind_host, public, proc) == expected


def test_a_kernel_without_these_tables_leaves_the_names(proc: Path) -> None:
    """As one without IPv6, or a sandbox."""
    for name in ("fib_trie", "if_inet6"):
        (proc / "net" / name).unlink()
    assert hosts_of("::", None, proc) == EVERYTHING[:5]


@pytest.mark.parametrize("name", ["", "x" * 254, "dätabase"])
def test_a_name_that_no_certificate_may_have_is_left_out(
    proc: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "getfqdn", lambda _: name)
    assert name not in hosts_of("::", None, proc)


def test_every_address_of_this_machine_is_found() -> None:
    found = hosts_of("0.0.0.0", None)  # noqa: S104
    addresses = {
        ipaddress.ip_address(address.address)
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6) and "%" not in address.address
    }
    assert {str(address) for address in addresses if not address.is_link_local} <= set(found)


@given(st.ip_addresses(v=4).filter(lambda a: str(a) != "0.0.0.0"))  # noqa: S104
def test_an_address_that_is_bound_is_the_only_one(address: ipaddress.IPv4Address) -> None:
    assert hosts_of(str(address), None) == [str(address)]
