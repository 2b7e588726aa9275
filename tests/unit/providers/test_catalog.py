import pytest

from trove.errors import Invalid
from trove.providers.base import Flavor, Scope
from trove.providers.catalog import LONGEST_AGE, CachedCatalog
from trove.providers.fake.catalog import FLAVORS, NO_IMAGE, FakeCatalog
from trove.providers.local.catalog import LocalCatalog


class CountingCatalog(FakeCatalog):
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def flavors(self) -> tuple[Flavor, ...]:
        self.reads += 1
        return FLAVORS


def test_what_is_offered_is_read_again_once_it_is_old() -> None:
    times = [0.0]
    counting = CountingCatalog()
    catalog = CachedCatalog(counting, clock=lambda: times[0])
    for _ in range(3):
        assert catalog.flavors() == FLAVORS
    assert counting.reads == 1
    times[0] = LONGEST_AGE + 1
    assert catalog.flavors() == FLAVORS
    assert counting.reads == 2


def test_the_rest_is_that_of_the_catalog() -> None:
    catalog = CachedCatalog(FakeCatalog())
    assert catalog.availability_zones() == ("fake",)
    assert catalog.volume_types() == FakeCatalog().volume_types()
    assert catalog.check_nics([]) is None
    catalog.check_image("/some/where", [], ["postgres"])
    with pytest.raises(Invalid, match="image: there is no image"):
        catalog.check_image(NO_IMAGE, [], ["postgres"])
    local = CachedCatalog(LocalCatalog(pool="127.70.0.0/16"))
    assert local.check_nics([{"ip_address": "127.70.1.1"}]) == "127.70.1.1"


def test_each_scope_is_remembered_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trove.providers.catalog.MOST_SCOPES", 2)
    catalog = CachedCatalog(FakeCatalog(), lambda: 0.0)
    one = catalog.within(Scope("1"))
    assert one is catalog.within(Scope("1"))
    assert one.flavors() == FLAVORS
    for number in range(2, 6):
        catalog.within(Scope(str(number)))
        assert len(catalog._within) <= 2
    assert catalog.within(Scope("1")) is not one
