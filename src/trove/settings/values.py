"""Turns what an operator wrote into the value of a setting."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, get_args, get_origin

from trove.errors import Invalid
from trove.settings.ini import Entry
from trove.settings.options import Option, range_of

# The words that oslo.config takes.
WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def value_of(option: Option, entry: Entry) -> Any:
    """The value; raises Invalid that names the place, what stands there, and what should."""
    kind = _kind_of(option)
    # An empty line unsets what may be unset: so an environment can take back what a file says.
    if not entry.value and option.default is None:
        return None
    try:
        value = _convert(kind, entry.value)
    except (ValueError, KeyError, RuntimeError):  # the last for the home of an unknown user
        # Without its cause: Python's words about it add nothing for an operator.
        raise Invalid(_complaint(entry, EXPECTED[kind])) from None
    if option.choices and value not in option.choices:
        raise Invalid(_complaint(entry, f"one of {', '.join(option.choices)}"))
    limits = range_of(option)
    # NaN compares false with everything, and is refused too.
    if limits and not limits[0] <= value <= limits[1]:
        raise Invalid(_complaint(entry, f"between {limits[0]} and {limits[1]}"))
    return value


def _kind_of(option: Option) -> Any:
    """The type without `| None`; a tuple of words is `tuple`."""
    if isinstance(option.kind, types.UnionType):
        return next(kind for kind in get_args(option.kind) if kind is not types.NoneType)
    return get_origin(option.kind) or option.kind


def _convert(kind: Any, text: str) -> Any:
    if kind is bool:
        return WORDS[text.strip().lower()]
    if kind is tuple:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if kind is Path:
        return Path(text).expanduser()
    return kind(text)


def _complaint(entry: Entry, expected: str) -> str:
    return f"{entry.place} = {entry.value!r}: must be {expected}"
