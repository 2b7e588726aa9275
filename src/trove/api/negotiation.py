"""Which version and media type a request speaks, and the one form that its path is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from trove.api.errors import NotAcceptable, TooLarge, UnsupportedMediaType
from trove.errors import Invalid

VERSION = "/v1.0"
VENDOR = "application/vnd.openstack.trove+json"
JSON_TYPES = frozenset({"application/json", VENDOR})
ACCEPTABLE = JSON_TYPES | {"*/*", "application/*"}
LARGEST_BODY = 1024 * 1024
"""Bytes."""
# Servers decode a path before it is routed, so that a name with a slash would be two segments:
# MariaDB's hosts have some (10.0.0.0/255.0.0.0). Of Unicode's private use, as no name is.
ENCODED_SLASH = "\ue02f"
"""Stands in a path for a slash that is part of a name, until the route takes it back."""


def normalise(scope: Any, headers: Mapping[str, str]) -> None:
    """Give the path its one form; raises Invalid for what no name can have."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" in raw or b"%2F" in raw:
        kept = raw.decode("ascii").replace("%2f", "%2F").replace("%2F", ENCODED_SLASH)
        scope["path"] = unquote(kept)
    path: str = scope["path"]
    # PostgreSQL cannot compare with it, and the driver's error would read as if the metadata
    # database were down.
    if "\0" in path or b"%00" in scope["query_string"]:
        raise Invalid("a NUL character is not allowed", field="URL")
    # Clients of Keystone request either form, which /identity serves as different routes. DELETE of
    # a path that ends so is what HTTP libraries make of a child named `..`: it means no parent.
    if scope["method"] != "DELETE" and path != "/" and not path.startswith("/identity"):
        path = path.rstrip("/")
    # Clients may name the version in Accept alone, on a path without one.
    if VENDOR in headers.get("accept", "") and not path.startswith(VERSION) and path:
        path = VERSION + path
    scope["path"] = path or "/"


def check_accept(headers: Mapping[str, str]) -> None:
    """Raises NotAcceptable unless JSON will do."""
    accept = headers.get("accept")
    if accept and not _accepts_json(accept):
        raise NotAcceptable


def check_body(headers: Mapping[str, str]) -> None:
    """Raises UnsupportedMediaType or TooLarge; a body without a type is taken for JSON."""
    length = headers.get("content-length", "0")
    check_length(length, LARGEST_BODY)
    has_body = length != "0" or "transfer-encoding" in headers
    # Without a type it is JSON: this wire knows nothing else.
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and kind and kind not in JSON_TYPES:
        raise UnsupportedMediaType(f"The body must be application/json, not {kind}.")


def check_length(length: str, most: int) -> None:
    """Raises TooLarge for a Content-Length above `most`."""
    # The number of digits first: int() raises beyond 4300.
    if length.isdigit() and (len(length) > len(str(most)) or int(length) > most):
        raise TooLarge(f"The request body may have {most} bytes, not {length[:20]}.")


# There are but a few in use; the bound is there because the header is the client's.
@lru_cache(maxsize=256)
def _accepts_json(accept: str) -> bool:
    return any(_is_acceptable(part) for part in accept.lower().split(","))


def _is_acceptable(media_range: str) -> bool:
    kind, *parameters = (part.strip() for part in media_range.split(";"))
    version = next((p[8:] for p in parameters if p.startswith("version=")), "1.0")
    return kind in ACCEPTABLE and version.strip('"') == "1.0"
