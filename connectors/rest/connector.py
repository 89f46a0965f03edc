"""A connector made of a description: the contract's promises, kept with the desk's own requests.

Writing is the same four steps everywhere: look whether an earlier attempt did it, write, read
back, compare. What the desk answered to the write itself is believed only where it is an error.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connectors.contract import (
    Call,
    Capabilities,
    Change,
    Created,
    DeskError,
    Failed,
    File,
    Finding,
    ForeignTicket,
    Gone,
    Hint,
    Host,
    Level,
    Misconfigured,
    NewComment,
    NewTicket,
    Page,
    Refused,
    Request,
    Unavailable,
    Untrusted,
)
from connectors.rest import hooks, polling, sandbox, values
from connectors.rest.calls import Caller
from connectors.rest.description import Description, Operation, Value
from connectors.rest.reading import Reader, tables
from connectors.rest.value_maps import SILENT

_BATCH: Final = 50  # tickets of one page the host stores at once
_TAGS: Final = re.compile(r"<[^>]*>")
_SPACES: Final = re.compile(r"\s+")
_CUT: Final = " […]"


def _when_no_value(error: sandbox.NoValue) -> Refused:
    return Refused(
        "no_value", "The description has no value for this ticket: {reason}", reason=str(error)
    )


class RestConnector:
    """Speaks with one desk as its description says. It is a `Connector`."""

    def __init__(self, description: Description, host: Host) -> None:
        zone = sandbox.text(description.time.zone).value({"settings": dict(host.settings)})
        time = description.time.model_copy(update={"zone": zone})
        description = description.model_copy(update={"time": time})
        self._description, self._host = description, host
        self._caller = Caller(description, host)
        self._reader = Reader(description)
        self._tables = tables(description)
        self._me: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the description has requests for."""
        it = self._description
        status = self._tables.get("status")
        return Capabilities(
            pull=it.poll.by != "none",
            fetch=bool(it.read.steps),
            create=it.create is not None,
            comment=it.comment is not None,
            private_comments=it.comment is not None and it.comment.private,
            attach=it.attach is not None,
            private_files=it.attach is not None and it.attach.private,
            set_status=it.change is not None and status is not None and bool(status.both),
            find=it.find is not None,
            webhooks=it.hook is not None,
            max_file_bytes=it.attach.max_bytes if it.attach else None,
        )

    # ------------------------------------------------------------ who we are

    async def _whoami(self, *, anew: bool = False) -> str:
        if self._description.me is None:
            return ""
        if self._me is None or anew:
            kept = await self._caller.run(self._description.me.steps, self._scope(""))
            self._me = values.picked_text(self._description.me.id, kept)
            if not self._me:
                # Some desks let a wrong key in as nobody, who sees an empty desk.
                raise Misconfigured("nobody", "The desk does not know whose key this is")
        return self._me

    def _scope(self, me: str, **more: Any) -> dict[str, Any]:
        now = values.written(self._host.clock.now(), self._description.time)
        return {"settings": dict(self._host.settings), "me": me, "now": now, **more}

    async def check(self) -> Sequence[Finding]:
        """One finding a line; the first failure of the account ends it."""
        try:
            me = await self._whoami(anew=True)
        except (DeskError, sandbox.NoValue) as error:
            return [_found("account", Level.ERROR, error)]
        findings = [Finding("account", Level.OK, "The account works", facts={"id": me})]
        for check in self._description.checks:
            bad = Level.WARNING if check.warning else Level.ERROR
            try:
                kept = await self._caller.run(check.steps, self._scope(me))
                good = bool(sandbox.expression(check.ok).value(kept))
            except (DeskError, sandbox.NoValue) as error:
                findings.append(_found(check.what, bad, error, check.cure))
            else:
                findings.append(
                    Finding(check.what, Level.OK if good else bad, "" if good else check.told,
                            "" if good else check.cure)
                )  # fmt: skip
        return findings

    # ------------------------------------------------------------ reading

    async def pull(self, cursor: str | None) -> AsyncIterator[Page]:
        """All that changed, in pages the host can store one by one."""
        poll, me = self._description.poll, await self._whoami(anew=True)
        scope = self._scope(me)
        if cursor is None:
            begun = await polling.beginning(poll, self._caller, scope)
            yield Page((), (), (), begun.dump())
            return
        before = self._caller.requests
        async for turn in polling.changes(poll, self._caller, polling.Cursor.load(cursor), scope):
            entries = [*turn.entries, *((ticket, None) for ticket in turn.missing)]
            page = await self._page(entries, me, turn.cursor.dump(), complete=poll.complete)
            spent, before = self._caller.requests - before, self._caller.requests
            yield Page(page.tickets, page.gone, page.failed, page.cursor, spent)

    async def open_tickets(self) -> AsyncIterator[Page]:
        """Every open ticket, read whole."""
        listing = self._description.open
        if listing is None:
            raise Refused("no_list", "This kind of desk cannot list its open tickets")
        me = await self._whoami(anew=True)
        async for entries in self._caller.pages(listing.list_, self._scope(me)):
            ids = {values.picked_text(listing.id, {"entry": entry}): entry for entry in entries}
            complete = self._description.poll.complete
            yield await self._page(list(ids.items()), me, "", complete=complete)

    async def _page(
        self, entries: list[tuple[str, Any]], me: str, cursor: str, *, complete: bool
    ) -> Page:
        tickets: dict[str, ForeignTicket] = {}
        gone: list[str] = []
        failed: list[Failed] = []
        whole = [(ticket, entry) for ticket, entry in entries if complete and entry is not None]
        for ticket, entry in whole:
            self._take(ticket, {**self._scope(me), "item": entry}, me, tickets, gone, failed)
        done = {ticket for ticket, _ in whole}
        left = list(dict.fromkeys(ticket for ticket, _ in entries if ticket not in done))
        size = self._description.read.batch
        for start in range(0, len(left), size):
            await self._read(left[start : start + size], me, tickets, gone, failed)
        return Page(tuple(tickets.values()), tuple(gone), tuple(failed), cursor)

    async def _read(
        self,
        ids: list[str],
        me: str,
        tickets: dict[str, ForeignTicket],
        gone: list[str],
        failed: list[Failed],
    ) -> None:
        try:
            scopes = await self._items(ids, me)
        except Gone:
            gone.extend(ids)
            return
        except Refused as error:
            failed.extend(Failed(ticket, error) for ticket in ids)
            return
        except sandbox.NoValue as error:
            failed.extend(Failed(ticket, _when_no_value(error)) for ticket in ids)
            return
        for ticket in ids:
            if ticket in scopes:
                self._take(ticket, scopes[ticket], me, tickets, gone, failed)
            else:
                gone.append(ticket)

    def _take(
        self,
        ticket: str,
        scope: Mapping[str, Any],
        me: str,
        tickets: dict[str, ForeignTicket],
        gone: list[str],
        failed: list[Failed],
    ) -> None:
        try:
            tickets[ticket] = self._reader.ticket(scope, me)
        except Gone:
            gone.append(ticket)
        except sandbox.NoValue as error:
            failed.append(Failed(ticket, _when_no_value(error)))

    async def _items(self, ids: list[str], me: str) -> dict[str, dict[str, Any]]:
        """What the read requests keep, ticket by ticket."""
        read = self._description.read
        kept = await self._caller.run(read.steps, self._scope(me, id=ids[0], ids=ids))
        if read.items is None:
            item = values.follow(read.item, kept) if read.item else kept
            if item is None:
                raise Gone("gone", "It is not there any more on the desk")
            return {ids[0]: {**kept, "item": item}}
        found = {}
        for item in values.follow(read.items, kept) or []:
            scope = {**kept, "item": item}
            found[values.picked_text(read.id, scope)] = scope
        return found

    async def _whole(self, ticket_id: str) -> tuple[ForeignTicket, dict[str, Any]]:
        """One ticket and the scope it was read from."""
        if not self._description.read.steps:
            return ForeignTicket(ticket_id, ""), self._scope("", item={})
        me = await self._whoami()
        found = await self._items([ticket_id], me)
        if ticket_id not in found:
            raise Gone("gone", "It is not there any more on the desk")
        return self._reader.ticket(found[ticket_id], me), found[ticket_id]

    async def fetch(self, ticket_id: str) -> ForeignTicket:
        """One ticket, whole."""
        try:
            ticket, _ = await self._whole(ticket_id)
        except sandbox.NoValue as error:
            raise _when_no_value(error) from None
        return ticket

    async def find(self, marker: str) -> str | None:
        """By the field our marker stands in."""
        find = self._description.find
        if find is None:
            return None
        kept = await self._run(find, self._scope(await self._whoami(), marker=marker))
        return values.picked_text(find.id, kept) or None

    # ------------------------------------------------------------ writing

    async def create(self, wish: NewTicket) -> Created:
        """Look by our marker, make it, believe it."""
        create = self._description.create
        if create is None:
            raise Refused("cannot", "This kind of desk cannot do that")
        found = await self.find(wish.marker)
        if found is not None:
            return await self._existing(found)
        scope = self._scope(
            await self._whoami(),
            marker=wish.marker,
            wish=self._wished(wish),
            status=self._written("status", wish.status),
            priority=self._written("priority", wish.priority),
        )
        try:
            kept = await self._run(create, scope)
        except Unavailable as error:
            find = self._description.find
            if find is not None and find.settles_s and error.after is None:
                # Until then a search does not see what may have been made.
                error.after = timedelta(seconds=find.settles_s)
            raise
        made = values.picked_text(create.id, kept)
        if not made:
            raise Unavailable("no_id", "The desk did not say which ticket it made")
        return Created(
            made,
            values.picked_text(create.number, kept) or made,
            values.picked_text(create.url, kept),
        )

    async def _existing(self, found: str) -> Created:
        if not self._description.read.steps:
            return Created(found, found, existed=True)
        ticket = await self.fetch(found)
        return Created(found, ticket.number, ticket.url, existed=True)

    def _wished(self, wish: NewTicket) -> dict[str, Any]:
        cut = self._description.truncate
        fields = dict(wish.fields)
        for name, value in self._description.defaults.items():
            if fields.get(name) in (None, ""):
                fields[name] = values.pick(value, self._scope(""))
        return {
            "marker": wish.marker,
            "title": _shortened(wish.title, cut.get("title")),
            "description": _shortened(wish.description, cut.get("description")),
            "number": wish.number,
            "url": wish.url,
            "requester": {
                "id": wish.requester.id,
                "name": wish.requester.name,
                "email": wish.requester.email,
            },
            "fields": fields,
        }

    def _written(self, name: str, word: str | None) -> str | None:
        """Their word; None where it is not told."""
        table = self._tables.get(name)
        if word is None or table is None:
            return word
        found = table.written(word)
        if found is None:
            raise Refused(
                "no_word", "The desk has no word for {word}; add it to the table", word=word
            )
        return None if found is SILENT else str(found)

    async def comment(
        self, ticket_id: str, wish: NewComment, *, known: Collection[str], again: bool = False
    ) -> str:
        """Look for it where it may be, write it, find it among the comments."""
        write = self._description.comment
        if write is None:
            raise Refused("cannot", "This kind of desk cannot do that")
        if not wish.public and not write.private:
            raise Refused("no_private", "This desk cannot keep anything from its customers")
        body = _shortened(wish.body, self._description.truncate.get("comment"))

        def ours(ticket: ForeignTicket) -> str | None:
            for one in ticket.comments:
                same = one.public == wish.public and _same_text(one.body, body, one.html)
                if one.id not in known and one.author.by_us and same:
                    return one.id
            return None

        said = {"body": body, "public": wish.public, "author": wish.author, "key": wish.key}
        return await self._add(write.steps, write.id, ticket_id, said, ours, None, again=again)

    async def attach(
        self,
        ticket_id: str,
        wish: File,
        *,
        public: bool,
        known: Collection[str],
        again: bool = False,
    ) -> str:
        """Look for it where it may be, send it, find it among the files, whole."""
        write = self._description.attach
        if write is None:
            raise Refused("cannot", "This kind of desk cannot do that")
        if not public and not write.private:
            raise Refused("no_private", "This desk cannot keep anything from its customers")
        if write.max_bytes is not None and wish.size > write.max_bytes:
            raise Refused("file_too_big", "The file is too big for this desk")
        name = _shortened(wish.name, self._description.truncate.get("file_name"))

        def ours(ticket: ForeignTicket) -> str | None:
            everywhere = (*ticket.files, *(file for one in ticket.comments for file in one.files))
            for one in everywhere:
                if one.id not in known and one.name == name and one.size in (None, wish.size):
                    return one.id
            return None

        said = {"name": name, "type": wish.content_type, "size": wish.size, "public": public}
        return await self._add(write.steps, write.id, ticket_id, said, ours, wish, again=again)

    async def _add(
        self,
        steps: Sequence[Any],
        told: Any,
        ticket_id: str,
        said: dict[str, Any],
        ours: Callable[[ForeignTicket], str | None],
        file: File | None,
        *,
        again: bool,
    ) -> str:
        try:
            ticket, scope = await self._whole(ticket_id)
            if again and (found := ours(ticket)):
                return found
            within = {**scope, "id": ticket_id, "wish": said, "public": said["public"]}
            kept = await self._caller.run(steps, within, file)
            if not self._description.read.steps:
                return values.picked_text(told, kept)
            after, _ = await self._whole(ticket_id)
        except sandbox.NoValue as error:
            raise _when_no_value(error) from None
        found = ours(after)
        if found is None:
            raise Refused("not_taken", "The desk said yes and did not do it: {what}", what="text"
                          if file is None else "file")  # fmt: skip
        return found

    async def change(self, ticket_id: str, wish: Change) -> ForeignTicket:
        """Write what is not so yet; read back; compare."""
        change = self._description.change
        if change is None:
            raise Refused("cannot", "This kind of desk cannot do that")
        try:
            before, scope = await self._whole(ticket_id)
            reads = bool(self._description.read.steps)
            status = None if reads and wish.status == before.status else wish.status
            priority = None if reads and wish.priority == before.priority else wish.priority
            title = _shortened(wish.title, self._description.truncate.get("title"))
            there = self._written("status", status)
            rank = self._written("priority", priority)
            fields = {
                name: value
                for name, value in wish.fields.items()
                if not reads or before.fields.get(name) != value
            }
            if (there, rank, title, fields) == (None, None, None, {}):
                return before
            said = {"title": title, "fields": fields, "note": wish.note}
            within = {**scope, "id": ticket_id, "wish": said, "status": there, "priority": rank}
            await self._caller.run(change.steps, within)
            after, _ = await self._whole(ticket_id)
        except sandbox.NoValue as error:
            raise _when_no_value(error) from None
        if reads:
            self._believe(after, there and status, rank and priority, title, fields)
        return after

    def _believe(
        self,
        after: ForeignTicket,
        status: str | None,
        priority: str | None,
        title: str | None,
        fields: Mapping[str, Any],
    ) -> None:
        wished = {"status": status, "priority": priority, "title": title, **fields}
        found = {"status": after.status, "priority": after.priority, "title": after.title}
        found |= after.fields
        for name, value in wished.items():
            if value is not None and name in found and str(found[name]) != str(value):
                raise Refused("not_taken", "The desk said yes and did not do it: {what}", what=name)

    async def _run(self, operation: Operation, scope: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._caller.run(operation.steps, scope)
        except sandbox.NoValue as error:
            raise _when_no_value(error) from None

    # ------------------------------------------------------------ files and webhooks

    async def download(self, ref: str) -> AsyncIterator[bytes]:
        """The bytes as they come; too few of them is an error, not a short file."""
        shape = self._description.download
        if shape is None:
            raise Refused("cannot", "This kind of desk cannot do that")
        scope = self._scope("", ref=ref)
        request = await self._caller.opening(shape, scope)
        if shape.base64 is not None:
            yield await self._inside(request, shape.base64, scope)
            return
        count = 0
        async with self._host.transport.stream(request) as answer:
            if answer.status in (404, 410):
                raise Gone("gone", "It is not there any more on the desk")
            if answer.status != 200:
                raise Unavailable("no_file", "The desk does not give the file now",
                                  because=f"{request.safe}: {answer.status}")  # fmt: skip
            async for piece in answer.chunks:
                count += len(piece)
                yield piece
        announced = answer.headers.get("content-length", "")
        if announced.isdigit() and int(announced) != count:
            raise Unavailable("cut_off", "The file was cut off on its way")

    async def _inside(self, request: Request, place: Value, scope: dict[str, Any]) -> bytes:
        answer = await self._host.transport.send(request, max_bytes=200 * 1024 * 1024)
        if answer.status in (404, 410):
            raise Gone("gone", "It is not there any more on the desk")
        try:
            coded = values.pick(place, {**scope, "answer": json.loads(answer.body)})
            return base64.b64decode(coded, validate=False)
        except (ValueError, TypeError, RecursionError):
            raise Unavailable("no_file", "The desk does not give the file now",
                              because=f"{request.safe}: {answer.status}") from None  # fmt: skip

    def receive(self, call: Call) -> Sequence[Hint]:
        """What a webhook points at, once its signature is believed."""
        hook = self._description.hook
        if hook is None:
            raise Untrusted("no_webhook", "This kind of desk sends no webhooks")
        body = hooks.opened(hook, call, self._caller.secrets.values, self._host.clock.now())
        scope = self._scope("", body=body, header=dict(call.headers), query=dict(call.query))
        try:
            if hook.when and not sandbox.expression(hook.when).value(scope):
                return []
            ticket = values.picked_text(hook.ticket, scope)
            content = self._reader.ticket({**scope, "item": body}, "") if hook.carries else None
            if content is not None:  # a call tells what is new
                content = replace(content, every_comment=False)
        except sandbox.NoValue as error:
            raise _when_no_value(error) from None
        if not ticket:
            return []
        return [Hint(ticket, values.picked_text(hook.delivery, scope), content)]


def _found(what: str, level: Level, error: Exception, cure: str = "") -> Finding:
    if isinstance(error, DeskError):
        return Finding(what, level, error.message_id, cure, error.facts)
    return Finding(what, level, "{reason}", cure, {"reason": str(error)})


def _shortened(text: Any, most: int | None) -> Any:
    if text is None or most is None or len(text) <= most:
        return text
    return text[: max(0, most - len(_CUT))] + _CUT


def _same_text(there: str, ours: str, is_html: bool) -> bool:
    """Whether a desk's rendering is the text we sent, blank space and markup aside."""

    def plain(text: str, strip: bool) -> str:
        return _SPACES.sub("", html.unescape(_TAGS.sub("", text)) if strip else text)

    return plain(there, is_html) == plain(ours, strip=False) or plain(there, is_html) == plain(
        ours, strip=True
    )
