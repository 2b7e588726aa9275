"""What a program reads from a command's output is what the service returned."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.cli.table import PLAIN
from trove.cli.trove.output import (
    COLOUR_OF,
    FORMATS,
    GREEN,
    RED,
    Columns,
    Output,
    flattened,
    pairs_of,
    text_of,
    value_at,
)

quickly = settings(deadline=None, derandomize=True, max_examples=60)

# YAML has no other control characters, and no surrogates; no service returns them either.
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=10)
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
COLUMNS: Columns = {"ID": "id", "Name": "name", "Flavor": "flavor.id", "Count": len}
items = st.fixed_dictionaries(
    {"id": texts, "name": scalars}, optional={"flavor": st.fixed_dictionaries({"id": texts})}
)
PG = {
    "id": "i-1",
    "name": "pg",
    "status": "ACTIVE",
    "flavor": {"id": "2", "links": [{"href": "x"}]},
    "volume": {"size": 1, "used": 0.5},
    "datastore": {"type": "postgresql", "version": "15"},
    "replicas": [{"id": "i-2", "links": []}, {"id": "i-3"}],
    "links": [],
}


def list_of(items: list[Any], **options: Any) -> str:
    stream = io.StringIO()
    Output(stream, **options).show_list(items, COLUMNS)
    return stream.getvalue()


def one_of(item: Any, **options: Any) -> str:
    stream = io.StringIO()
    Output(stream, **options).show_one(item)
    return stream.getvalue()


@quickly
@given(st.lists(st.dictionaries(texts, values, max_size=4), max_size=4))
def test_json_and_yaml_are_the_whole_objects(found: list[dict[str, Any]]) -> None:
    assert json.loads(list_of(found, format="json")) == found
    assert yaml.safe_load(list_of(found, format="yaml")) == found


@quickly
@given(st.lists(items, max_size=5))
def test_csv_has_a_row_of_each_object(found: list[dict[str, Any]]) -> None:
    header, *rows = csv.reader(io.StringIO(list_of(found, format="csv")))
    assert header == list(COLUMNS)
    assert rows == [
        [
            item["id"],
            "" if item["name"] is None else str(item["name"]),
            item.get("flavor", {}).get("id", ""),
            str(len(item)),
        ]
        for item in found
    ]


@quickly
@given(st.lists(items, max_size=5), st.permutations(["id", "NAME", "Count"]))
def test_chosen_columns_come_in_the_order_in_which_they_were_chosen(
    found: list[dict[str, Any]], chosen: list[str]
) -> None:
    headers = {"id": "ID", "NAME": "Name", "Count": "Count"}
    text = list_of(found, format="json", chosen=tuple(chosen))
    for line, item in zip(json.loads(text), found, strict=True):
        assert list(line) == [headers[name] for name in chosen]
        assert (line["ID"], line["Name"], line["Count"]) == (item["id"], item["name"], len(item))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "show", [lambda **options: list_of([PG], **options), lambda **options: one_of(PG, **options)]
)
def test_a_column_that_is_not_there_is_named(format_: str, show: Any) -> None:
    with pytest.raises(ValueError, match=r"no column 'colour'; there are: \w+"):
        show(format=format_, chosen=("colour",))


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("json", "[]\n"),
        ("yaml", "[]\n"),
        ("csv", "ID,Name,Flavor,Count\n"),
        ("value", ""),
    ],
)
def test_an_empty_list_is_empty_in_each_format(format_: str, expected: str) -> None:
    assert list_of([], format=format_) == expected


def test_an_object_is_shown_line_by_line() -> None:
    flat = flattened(PG)
    assert flat == {
        "id": "i-1",
        "name": "pg",
        "status": "ACTIVE",
        "flavor": "2",
        "volume_size": 1,
        "volume_used": 0.5,
        "datastore_type": "postgresql",
        "datastore_version": "15",
        "replicas": PG["replicas"],
    }
    assert one_of(PG, format="value", chosen=("replicas", "volume_size")) == "i-2, i-3 1\n"
    assert json.loads(one_of(PG, format="json")) == PG
    assert json.loads(one_of(PG, format="json", chosen=("flavor",))) == {"flavor": "2"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (False, "False"),
        ([], ""),
        (["a", None, 2], "a, , 2"),
        ({"name": "n", "id": "i"}, "n"),
        ({"name": None, "address": "1.2.3.4", "id": "i"}, "1.2.3.4"),
        ({"links": [], "a": 1, "b": ["x", "y"], "c": "", "d": ["z"]}, "a=1, b=(x, y), d=z"),
        ({"inner": {"a": 1}}, "inner=(a=1)"),
        ({"links": []}, ""),
    ],
)
def test_values_are_texts_for_people(value: object, text: str) -> None:
    assert text_of(value) == text


def test_pairs_leave_out_what_is_empty_but_not_what_is_zero() -> None:
    assert pairs_of({"a": 0, "b": None, "c": {}, "d": False}) == "a=0, d=False"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", "pg"),
        ("volume.size", 1),
        ("volume.none", None),
        ("name.first", None),
        ("x.y", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, expected: object) -> None:
    assert value_at(PG, path) == expected


def test_an_empty_cell_is_a_dash_in_tables_alone() -> None:
    assert "| -    |" in list_of([{"id": "i", "name": None}])
    assert list_of([{"id": "i", "name": None}], format="value") == "i   2\n"


@pytest.mark.parametrize(("coloured", "count"), [(True, 2), (False, 0)])
def test_statuses_are_coloured_on_a_terminal(coloured: bool, count: int) -> None:
    text = list_of(
        [{"id": "ACTIVE", "name": "ERROR"}, {"id": "x", "name": "other"}], coloured=coloured
    )
    assert text.count(PLAIN) == count
    assert (f"{GREEN}ACTIVE" in text, f"{RED}ERROR" in text) == (coloured, coloured)
    assert COLOUR_OF["ACTIVE"] == GREEN
