"""Kinds of values on the wire, with what clients really send for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from trove.api.negotiation import ENCODED_SLASH
from trove.db import JsonObject

LARGEST_INT = 2**31 - 1


class Strict(BaseModel):
    """An unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class Lenient(BaseModel):
    """Unknown keys are ignored: clients of many years send them."""

    model_config = ConfigDict(extra="ignore")


def whole(value: Any) -> Any:
    """2.0 as 2: some clients compute in floats; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _ref(value: Any) -> Any:
    """An id, or a URL whose last part is one; numbers are ids too."""
    value = whole(value)
    # Flavors come as numbers too; but True is an int in Python.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # What stands in `links` may be sent back as it is.
    if isinstance(value, str) and "/" in value:
        return value.rstrip("/").rpartition("/")[2]
    return value


def _size(value: Any) -> Any:
    value = whole(value)
    # python-troveclient sends the sizes of a cluster's volumes as strings. Bounded, for int() is
    # slow on a long one, and raises beyond 4300 digits.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number of GB")
    return value


def _bool(value: Any) -> Any:
    # pydantic would take "yes", "off" and 1 as well.
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _plain(value: str) -> str:
    if any(ord(c) < 32 for c in value):
        raise ValueError("must not contain control characters")
    return value


Plain = AfterValidator(_plain)
Whole = BeforeValidator(whole)
Text = Annotated[str, Field(max_length=255), Plain]
Name = Annotated[str, Field(min_length=1, max_length=255), Plain]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
IdOrUrl = Annotated[
    str,
    Field(min_length=1, max_length=255),
    Plain,
    BeforeValidator(_ref),
    # The document cannot show by itself what the validators accept.
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 255},
                {"type": "integer", "minimum": 0},
            ],
            "description": "An id, or a URL that ends in one.",
        }
    ),
]
Size = Annotated[
    int,
    Field(ge=1, le=LARGEST_INT),
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LARGEST_INT},
                {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"},
            ],
            "description": "GB.",
        }
    ),
]
Bool = Annotated[bool, BeforeValidator(_bool), WithJsonSchema({"type": "boolean"})]


def _in_utc(value: datetime) -> datetime:
    try:
        # 0001-01-01T00:00+01:00 was before the first year that there is.
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("out of range") from None


Since = Annotated[datetime, AfterValidator(_in_utc)]
PathName = Annotated[str, AfterValidator(lambda text: text.replace(ENCODED_SLASH, "/"))]
"""A name in a path: its slashes were encoded."""
Empty = JsonObject
"""`{}`: the key alone says what is to be done."""
