from pathlib import Path

import pytest

from trove.errors import Invalid
from trove.providers.base import flavor_of
from trove.providers.local.catalog import LocalCatalog, flavor_from


def test_there_is_a_useful_list() -> None:
    small = flavor_of(LocalCatalog(), "2")
    assert small is not None
    assert (small.memory, small.vcpus) == (512, 1)
    assert [f.id for f in LocalCatalog().flavors()] == [str(n) for n in range(1, 8)]


def test_the_settings_may_have_another_list() -> None:
    [flavor] = LocalCatalog(("9: huge :65536:32",)).flavors()
    assert (flavor.id, flavor.name, flavor.memory, flavor.vcpus) == ("9", "huge", 65536, 32)


@pytest.mark.parametrize("text", ["", "1:a:512", "1:a:much:1", "1:a:0:1", "1:a:512:0", ":a:512:1"])
def test_a_flavor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="flavors: "):
        flavor_from(text)


def test_what_a_server_may_not_have_is_known_before_it_is_ordered() -> None:
    catalog = LocalCatalog(pool="127.70.0.0/16")
    assert catalog.check_nics([]) is None
    assert catalog.check_nics([{"ip_address": "127.70.1.1"}]) == "127.70.1.1"
    for nic in ({"ip_address": "127.71.1.1"}, {"network_id": "n-1"}):
        with pytest.raises(Invalid, match="nics"):
            catalog.check_nics([nic])
    with pytest.raises(Invalid, match="one network here; give 1 entry, not 2"):
        catalog.check_nics([{}, {}])


def test_an_image_is_a_directory_of_programs(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.touch(mode=0o700)
    # Tags are for infrastructures that have them: the image counts.
    LocalCatalog().check_image(str(tmp_path), ["any"], ["redis-server", "valkey-server"])
    with pytest.raises(Invalid, match="image: .* with the program postgres; `trove-manage"):
        LocalCatalog().check_image(str(tmp_path), [], ["postgres"])
    with pytest.raises(Invalid, match="image_tags: images have no tags here"):
        LocalCatalog().check_image(None, ["17"], ["postgres"])


@pytest.mark.parametrize(
    "image",
    ["/nowhere", "", "bin", "7c4d3a9e-0000-4000-8000-000000000000", "/etc/passwd", "/a" * 120],
)
def test_what_is_no_directory_of_programs(image: str) -> None:
    with pytest.raises(Invalid, match="image: "):
        LocalCatalog().check_image(image, [], ["postgres"])
