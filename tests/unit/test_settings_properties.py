"""Whatever an operator writes is a setting, or an error that says where and what."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.errors import Invalid
from trove.settings import Loaded, read_settings
from trove.settings.ini import read_files
from trove.settings.options import Option, options, range_of

many = settings(max_examples=150, deadline=None, derandomize=True)

lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=25)
values = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")))
# A dollar sign and a pair of quotes have a meaning.
passwords = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="$'\""),
    min_size=1,
    max_size=20,
)
HARD = ["", " ", "-1", "0", "nan", "inf", "-inf", "1e400", "9" * 5000, "0x10", "~unknown.user/x"]
HARD += ["true", "\u0663", "$", "$$", "${", "${x}", "%(x)s", "a,b,,", "'", "''", '"x"', "[x]", "\0"]
OPTIONS = options()
NUMBERS = {key: option for key, option in OPTIONS.items() if range_of(option)}


def read(text: str | bytes, **environ: str) -> Loaded:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "a.conf"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_settings([file], environ={"HOME": directory} | environ)


def value_in(loaded: Loaded, option: Option) -> object:
    found: object = loaded.settings
    for field in option.path:
        found = found[field] if isinstance(found, dict) else getattr(found, field)
    return found


@many
@given(st.lists(lines, max_size=6).map("\n".join))
def test_any_text_is_read_or_refused_as_a_whole(text: str) -> None:
    try:
        assert isinstance(read(text), Loaded)
    except Invalid as error:
        assert "a.conf" in str(error)


@many
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        assert isinstance(read(b"[DEFAULT]\n" + content), Loaded)
    except Invalid as error:
        assert "a.conf" in str(error)


@pytest.mark.parametrize(("section", "name"), sorted(OPTIONS))
def test_an_odd_value_is_taken_or_refused_with_its_place(section: str, name: str) -> None:
    for value in HARD:
        try:
            loaded = read(f"[{section}]\n{name} = {value}\n")
        except Invalid as error:
            assert f"[{section}] {name} = " in str(error)
            assert "must be" in str(error)
        else:
            assert isinstance(loaded, Loaded)


@pytest.mark.parametrize(("section", "name"), sorted(NUMBERS))
def test_a_number_is_within_its_range(section: str, name: str) -> None:
    option = OPTIONS[section, name]
    lowest, highest = range_of(option) or (0, 0)
    for value in (lowest, highest):
        loaded = read(f"[{section}]\n{name} = {value}\n")
        assert value_in(loaded, option) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(Invalid, match="must be between"):
            read(f"[{section}]\n{name} = {value}\n")


@many
@given(st.lists(passwords, max_size=3))
def test_the_last_of_several_lines_wins(written: list[str]) -> None:
    text = "".join(f"os_region_name = {value}\n" for value in written)
    found = read(f"[DEFAULT]\n{text}").settings.api.region
    assert found == (written[-1] if written else "RegionOne")


@many
@given(passwords)
def test_quotes_and_dollar_signs_around_a_value_go(password: str) -> None:
    for quote in "'\"":
        loaded = read(f"[DEFAULT]\nos_region_name = {quote}{password}{quote}\n")
        assert loaded.settings.api.region == password
    loaded = read(f"[DEFAULT]\nos_region_name = $${password}$$\n")
    assert loaded.settings.api.region == f"${password}$"


@many
@given(st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True), passwords)
def test_an_option_stands_for_another(name: str, password: str) -> None:
    text = f"[DEFAULT]\n{name} = {password}\n[other]\nplain = ${name}\nbraced = <${{{name}}}>\n"
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "a.conf"
        file.write_text(text)
        entries = {(e.section, e.name): e.value for e in read_files([file])}
    assert entries["other", "plain"] == password
    assert entries["other", "braced"] == f"<{password}>"


@pytest.mark.parametrize("path", ["~unknown.user", "~unknown.user/trove"])
def test_the_home_of_a_user_who_does_not_exist_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match=r"state_directory = '~unknown.user.*must be a path"):
        read(f"[DEFAULT]\nstate_directory = {path}\n")


def test_a_variable_is_refused_by_its_name() -> None:
    with pytest.raises(Invalid, match=r"^TROVE_TASKMANAGER_THREADS = 'many': must be a whole"):
        read("", TROVE_TASKMANAGER_THREADS="many")
