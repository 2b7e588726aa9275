import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import slot
from trove.errors import Failed, Invalid
from trove.providers.local import ports
from trove.providers.local.layout import Layout
from trove.providers.local.network import LocalNetwork

PORT = slot.next_port()
POOL = "127.70.250.0/24"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield made


def test_an_address_where_the_port_is_taken_is_passed_over(
    layout: Layout, listener: socket.socket
) -> None:
    network = LocalNetwork(layout, "127.70.8.0/31")
    listener.bind(("127.70.8.1", PORT))
    listener.listen()
    assert network.ensure_address("a", PORT) == "127.70.8.0"
    with pytest.raises(Failed, match=f"None of the addresses of 127.70.8.0/31 has port {PORT}"):
        network.ensure_address("b", PORT)


def test_who_has_the_port_everywhere_is_named(layout: Layout, listener: socket.socket) -> None:
    listener.bind(("0.0.0.0", PORT))
    listener.listen()
    with pytest.raises(Failed, match=r"every address .* by .+ \(process \d+\)\. Stop it, or"):
        LocalNetwork(layout, "127.70.8.0/24").ensure_address("a", PORT)
    assert not list(layout.addresses.glob("*"))


def test_what_is_not_this_machines_is_refused(layout: Layout) -> None:
    with pytest.raises(Failed, match="Set address_pool to addresses of this machine"):
        LocalNetwork(layout, "192.0.2.0/24").ensure_address("a", PORT)


def test_a_pool_that_is_none_is_refused(layout: Layout) -> None:
    with pytest.raises(Invalid, match="address_pool: "):
        LocalNetwork(layout, "127.77.0.0/99")


def test_network_and_broadcast_addresses_are_left_alone(layout: Layout) -> None:
    network = LocalNetwork(layout, "127.70.8.16/29")
    found = {network.ensure_address(f"n{i}", PORT) for i in range(6)}
    assert found == {f"127.70.8.{i}" for i in range(17, 23)}
    with pytest.raises(Failed, match="None of the addresses"):
        network.ensure_address("n6", PORT)


@pytest.mark.parametrize(
    ("address", "pool"),
    [
        ("127.70.8.16", "127.70.8.16/29"),
        ("127.70.8.23", "127.70.8.16/29"),
        ("127.70.9.0", "127.70.8.0/22"),
        ("127.70.9.255", "127.70.8.0/22"),
    ],
)
def test_a_broadcast_address_cannot_be_chosen(layout: Layout, address: str, pool: str) -> None:
    with pytest.raises(Invalid, match=r"nics\.ip_address: .* broadcast address; choose another"):
        LocalNetwork(layout, pool).ensure_address("a", PORT, [{"ip_address": address}])
    assert not list(layout.addresses.glob("*"))


def test_a_name_that_is_a_path_is_refused(layout: Layout) -> None:
    with pytest.raises(Invalid):
        LocalNetwork(layout, "127.70.8.0/29").ensure_address("../a", PORT)


def test_a_holder_that_cannot_be_seen_is_of_another_user(tmp_path: Path) -> None:
    line = "0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1"
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp6").write_text(f"title\n{line}\n")
    assert ports.holder_of_all(0x1538, tmp_path) == "a program of another user"
    assert ports.holder_of_all(0x1539, tmp_path) is None


def test_the_address_that_was_requested(layout: Layout) -> None:
    network = LocalNetwork(layout, POOL)
    wanted = [{"ip_address": "127.70.250.77"}]
    assert network.ensure_address("trove-1", PORT, wanted) == "127.70.250.77"
    assert network.ensure_address("trove-1", PORT, wanted) == "127.70.250.77"
    with pytest.raises(Failed, match=r"127\.70\.250\.77 is taken"):
        network.ensure_address("trove-2", PORT, wanted)
    network.delete_address("trove-1")
    assert network.ensure_address("trove-2", PORT, wanted) == "127.70.250.77"


def test_an_address_of_somewhere_else(layout: Layout) -> None:
    network = LocalNetwork(layout, POOL)
    with pytest.raises(Invalid, match=r"nics\.ip_address: 10\.0\.0\.1 is not in the pool"):
        network.ensure_address("trove-1", PORT, [{"ip_address": "10.0.0.1"}])


def test_there_are_no_networks_to_choose_from(layout: Layout) -> None:
    network = LocalNetwork(layout, POOL)
    with pytest.raises(Invalid, match="leave network_id out"):
        network.ensure_address("trove-1", PORT, [{"network_id": "n-1"}])
