"""Names and ids."""

from __future__ import annotations

import pytest

from tests.support.service import Service
from trove.client.errors import Ambiguous, HttpError
from trove.client.find import find_id
from trove.client.session import Session

ID = "3f8e0c1a-6a3e-4d3c-9a53-0a2d8f6f2f10"


def test_an_id_is_not_looked_up(service: Service, session: Session) -> None:
    assert find_id(session, "instances", ID) == ID
    assert find_id(session, "instances", ID.replace("-", "")) == ID.replace("-", "")
    assert service.received == []


def test_a_name_is_looked_up(service: Service, session: Session) -> None:
    service.give("/instances", {"instances": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]})
    assert find_id(session, "instances", "b") == "2"
    assert service.received[0].query == {"include_clustered": "True", "name": "b"}


def test_an_id_takes_precedence_over_a_name(service: Service, session: Session) -> None:
    flavors = [
        {"id": 1, "str_id": "1", "name": "2"},
        {"id": None, "str_id": "m1.tiny", "name": "tiny"},
        {"id": 2, "str_id": "2", "name": "small"},
    ]
    service.give("/flavors", {"flavors": flavors})
    assert find_id(session, "flavors", "2") == "2"
    assert find_id(session, "flavors", "tiny") == "m1.tiny"


def test_an_unknown_name(service: Service, session: Session) -> None:
    service.give("/configurations", {"configurations": []})
    with pytest.raises(HttpError, match=r"no configuration group with the name or id 'x'\. \(HTTP"):
        find_id(session, "configurations", "x")


def test_an_ambiguous_name_lists_the_candidates(service: Service, session: Session) -> None:
    twins = [{"id": i, "name": "pg", "status": "ACTIVE", "created": f"2026-0{i}"} for i in (1, 2)]
    service.give("/instances", {"instances": twins})
    with pytest.raises(Ambiguous) as caught:
        find_id(session, "instances", "pg")
    assert str(caught.value).splitlines() == [
        "2 instances have the name 'pg'; give the id of one:",
        "  1  ACTIVE  2026-01",
        "  2  ACTIVE  2026-02",
    ]
