"""Names that are free or taken."""

import pytest

from trove.datastores.names import check_absent, check_present
from trove.errors import AlreadyExists, NotFound


def test_names() -> None:
    check_absent("user", {"a"}, ["b", "c"])
    check_present("user", {"a"}, ["a", "a"])
    with pytest.raises(AlreadyExists, match="user 'a' exists already"):
        check_absent("user", {"a"}, ["b", "a"])
    with pytest.raises(AlreadyExists, match="'b'"):
        check_absent("user", {"a"}, ["b", "b"])
    with pytest.raises(NotFound, match="user 'b' does not exist"):
        check_present("user", {"a"}, ["a", "b"])
