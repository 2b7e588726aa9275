"""A subcommand that one row describes: a request and how its answer is shown."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trove.cli.trove.context import Context, Subject
from trove.cli.trove.output import Columns, Item
from trove.client.session import segment

COLLECTIONS = {
    "instance": "instances",
    "flavor": "flavors",
    "project": "projects",
}
"""Placeholder in a path -> the collection to look its name up in; others are sent as typed."""


@dataclass(frozen=True)
class Request:
    """A command that is one request: call it with a context and the parsed arguments.

    `{placeholders}` in `path` are arguments. `body` is what is sent, or a function of the context
    and the arguments. The `key` of the answer is shown: with `columns` as a list, else as one
    object.
    """

    method: str
    path: str
    body: Any = None
    key: str = ""
    columns: Columns | None = None
    query: tuple[str, ...] = ()
    """Arguments that are sent as the query, under their own names."""
    flat: Callable[[Item], Item] | None = None
    follows: bool = False
    """Whether it starts an operation on the instance in the path or the answer."""

    def __call__(self, context: Context, arguments: Namespace) -> None:
        path = self.path_of(context, arguments)
        body = self.body(context, arguments) if callable(self.body) else self.body
        query = {name: getattr(arguments, name) for name in self.query}
        # The first page alone would look like the whole list.
        if self.pages(arguments):
            items = list(context.session.pages(path, self.key, **query))
            context.show_list(items, self.columns or {})
            return
        answer = context.session.send(self.method, path, body, query=query)
        subject = self.subject_of(path, answer.body) if self.follows else None
        if subject:
            created = answer.body[self.key] if subject.is_created else {}
            context.follow(subject, created.get("operation_id") or "")
        self.show(context, answer.body, subject)

    def pages(self, arguments: Namespace) -> bool:
        """A list is shown whole, unless a limit or a marker is given."""
        chosen = getattr(arguments, "limit", None) or getattr(arguments, "marker", None)
        return self.columns is not None and self.method == "GET" and not chosen

    def path_of(self, context: Context, arguments: Namespace) -> str:
        def fill(match: re.Match[str]) -> str:
            name = match[1]
            wanted = str(getattr(arguments, name))
            if name in COLLECTIONS:
                # These paths accept only ids; the client looks names up.
                wanted = context.find(COLLECTIONS[name], wanted)
            return segment(wanted)

        return re.sub(r"\{(\w+)\}", fill, self.path)

    def subject_of(self, path: str, body: Any) -> Subject:
        """The instance in the path, or the created one in the answer."""
        _, *rest = path.strip("/").split("/")
        found = rest[0] if rest else body[self.key]["id"]
        return Subject(found, is_created=not rest, is_deleted=self.method == "DELETE")

    def show(self, context: Context, body: Any, subject: Subject | None) -> None:
        if not self.key or not body:
            return
        if self.columns is not None:
            context.show_list(body[self.key], self.columns)
            return
        thing = body[self.key]
        # The first answer is out of date after the wait.
        if subject and context.waits:
            thing = context.fetch(subject) or thing
        context.show_one(thing, self.flat(thing) if self.flat else None)
