"""From what a desk said to a ticket in our words.

Whatever has no translation is parked in `unknown` and the rest goes on. Privacy is decided here
for everything that comes in: without a clear "public" it is private.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.contract import (
    Author,
    ForeignComment,
    ForeignFile,
    ForeignTicket,
    Gone,
    Unknown,
)
from connectors.rest import sandbox, values
from connectors.rest.description import Comments, Description, Expr, Files, Value
from connectors.rest.value_maps import ValueMap, as_text


def tables(description: Description) -> dict[str, ValueMap]:
    """The two-way tables of a description, with every word over there as text."""
    return {
        name: ValueMap(
            {ours: as_text(theirs) for ours, theirs in table.both.items()},
            table.read,
            frozenset(table.silent),
        )
        for name, table in description.maps.items()
    }


class Reader:
    """Reads tickets as one description says."""

    def __init__(self, description: Description) -> None:
        self._description, self._tables = description, tables(description)

    def ticket(self, scope: Mapping[str, Any], me: str) -> ForeignTicket:
        """The ticket called `item` in the scope.

        Raises:
            Gone: it is there as a tombstone only.
            NoValue: it cannot be read at all.
        """
        shape, time = self._description.ticket, self._description.time
        if values.pick(shape.gone, scope):
            raise Gone("gone", "It is not there any more on the desk")
        unknown: list[Unknown] = []
        number = values.picked_text(shape.id, scope)
        if not number:
            raise sandbox.NoValue("the ticket has no id")
        created = values.instant(values.pick(shape.created, scope), time)
        assigned = values.pick(shape.assigned, scope)
        requester = Author(
            id=values.picked_text(shape.requester_id, scope),
            name=values.picked_text(shape.requester_name, scope),
            email=values.picked_text(shape.requester_email, scope),
        )
        comments = self._comments(scope, me, created)
        return ForeignTicket(
            id=number,
            title=values.picked_text(shape.title, scope),
            number=values.picked_text(shape.number, scope) or number,
            url=values.picked_text(shape.url, scope),
            description=values.picked_text(shape.description, scope),
            html=shape.html,
            status=self._word("status", shape.status, scope, unknown),
            status_there=as_text(values.pick(shape.status, scope) or ""),
            priority=self._word("priority", shape.priority, scope, unknown),
            assigned=True if shape.assigned is None else bool(assigned),
            requester=requester,
            created_at=created,
            updated_at=values.instant(values.pick(shape.updated, scope), time),
            marker=values.picked_text(shape.marker, scope),
            merged_into=_other(values.picked_text(shape.merged_into, scope), number),
            comments=comments,
            files=self._files(self._description.files, scope, me, public=False),
            fields={
                name: self._word(name, value, scope, unknown)
                if values.table_of(value)
                else values.pick(value, scope)
                for name, value in shape.fields.items()
            },
            unknown=tuple(unknown),
            every_comment=shape.every_comment,
        )

    def _word(
        self, name: str, value: Value | None, scope: Mapping[str, Any], unknown: list[Unknown]
    ) -> str | None:
        raw = values.pick(value, scope)
        if raw is None or raw == "":
            return None
        table = self._tables.get(values.table_of(value) or "")
        meaning = table.meaning(raw) if table else as_text(raw)
        if meaning is None:
            unknown.append(Unknown(name, as_text(raw)))
        return meaning

    def _comments(
        self, scope: Mapping[str, Any], me: str, created: datetime | None
    ) -> tuple[ForeignComment, ...]:
        found = [
            self._comment(shape, {**scope, "entry": entry}, me, created)
            for shape in self._description.comments
            for entry in _entries(shape.items, scope)
            if _holds(shape.when, {**scope, "entry": entry})
        ]
        return tuple(sorted(found, key=lambda one: (one.at, _order(one.id))))

    def _comment(
        self, shape: Comments, scope: Mapping[str, Any], me: str, created: datetime | None
    ) -> ForeignComment:
        public = values.pick(shape.public, scope) is True
        at = values.instant(values.pick(shape.at, scope), self._description.time)
        return ForeignComment(
            id=_required("comment", values.picked_text(shape.id, scope)),
            body=values.picked_text(shape.body, scope),
            at=at or created or datetime.fromtimestamp(0, UTC),
            author=Author(
                id=values.picked_text(shape.author_id, scope),
                name=values.picked_text(shape.author_name, scope),
                email=values.picked_text(shape.author_email, scope),
                by_us=_by_us(shape.by_us, shape.author_id, scope, me),
            ),
            public=public,
            html=shape.html,
            files=self._files(shape.files, scope, me, public=public),
        )

    def _files(
        self, shapes: list[Files], scope: Mapping[str, Any], me: str, *, public: bool
    ) -> tuple[ForeignFile, ...]:
        return tuple(
            self._file(shape, {**scope, "file": entry}, me, public=public)
            for shape in shapes
            for entry in _entries(shape.items, scope)
            if _holds(shape.when, {**scope, "file": entry})
        )

    def _file(
        self, shape: Files, scope: Mapping[str, Any], me: str, *, public: bool
    ) -> ForeignFile:
        size = values.pick(shape.size, scope)
        told = values.pick(shape.public, scope)
        return ForeignFile(
            id=_required("file", values.picked_text(shape.id, scope)),
            name=values.picked_text(shape.name, scope),
            ref=values.picked_text(shape.ref, scope),
            size=int(size) if str(size).isdigit() else None,
            content_type=values.picked_text(shape.type, scope) or "application/octet-stream",
            # A file of a private comment stays private, whatever else is said of it.
            public=public if shape.public is None else (told is True),
            author=Author(
                id=values.picked_text(shape.author_id, scope),
                by_us=_by_us(shape.by_us, shape.author_id, scope, me),
            ),
        )


def _entries(value: Value, scope: Mapping[str, Any]) -> list[Any]:
    found = values.pick(value, scope)
    if found is None:
        return []
    if not isinstance(found, list):
        raise sandbox.NoValue("not a list")
    return found


def _holds(condition: Expr | None, scope: Mapping[str, Any]) -> bool:
    return condition is None or bool(sandbox.expression(condition).value(scope))


def _by_us(rule: Expr | None, author: Value | None, scope: Mapping[str, Any], me: str) -> bool:
    if rule is not None:
        return bool(sandbox.expression(rule).value({**scope, "me": me}))
    return bool(me) and values.picked_text(author, scope) == me


def _required(what: str, found: str) -> str:
    if not found:
        raise sandbox.NoValue(f"a {what} has no id")
    return found


def _other(merged: str, own: str) -> str:
    return "" if merged in ("0", own) else merged


def _order(number: str) -> tuple[int, str]:
    return (int(number), "") if number.isdigit() else (0, number)
