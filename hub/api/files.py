"""Files of tickets."""

from __future__ import annotations

import base64
from typing import Any, Final

from hub.actions import files
from hub.api.comments import WhyForm
from hub.api.door import Download, Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Nothing
from hub.api.tickets import ticket_id
from hub.api.views import Page
from hub.domain.comment import Visibility
from hub.domain.permission import Permission
from hub.errors import Refused
from hub.ids import AttachmentId
from hub.queries import tickets as shown
from hub.queries.tickets import FileView


class NewFilesForm(Form):
    """Files for the ticket itself. Public ones go to everybody who shares it."""

    visibility: Visibility = Visibility.PUBLIC


async def _add(visit: Visit, form: NewFilesForm) -> Effect[list[AttachmentId]]:
    if not visit.files:
        raise Refused("no_file", "There is no file in the request.")
    which = await ticket_id(visit)
    return Effect(
        lambda hub: files.add(hub, visit.actor, which, visit.files, form.visibility),
        lambda connection, made: Page([shown.file(connection, one) for one in made]),
    )


async def _send(visit: Visit, form: Nothing) -> Download:
    ticket, name = visit.params["ticket"], visit.params["file"]

    def find(connection: Any) -> Download:
        row = shown.file_named(connection, ticket, name)
        return Download(row.sha256, row.size, row.name, row.media_type)

    return await visit.hub.db.read(find)


async def _redact(visit: Visit, form: WhyForm) -> Effect[None]:
    ticket, name = visit.params["ticket"], visit.params["file"]
    which = await visit.hub.db.read(
        lambda connection: shown.file_named(connection, ticket, name).id
    )
    return Effect(
        lambda hub: files.redact(hub, visit.actor, which, form.reason),
        lambda _connection, _done: None,
    )


def repr_digest(sha256: str) -> str:
    """The Repr-Digest header for a file (RFC 9530)."""
    raw = base64.urlsafe_b64decode(sha256 + "=")
    return f"sha-256=:{base64.b64encode(raw).decode()}:"


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="addFiles",
        method="POST",
        path="/tickets/{ticket}/files",
        scope=Permission.TICKETS_WORK,
        summary="Put files on a ticket: as multipart parts, or one as the body with ?name=",
        form=NewFilesForm,
        takes=Takes.FILES,
        handler=_add,
        answer=Page[FileView],
        status=201,
    ),
    Route(
        name="getFile",
        method="GET",
        path="/tickets/{ticket}/files/{file}",
        scope=Permission.TICKETS_READ,
        summary="A file of a ticket or its comments, by id or name",
        form=Nothing,
        handler=_send,
        answer=Sends.FILE,
    ),
    Route(
        name="redactFile",
        method="DELETE",
        path="/tickets/{ticket}/files/{file}",
        scope=Permission.TICKETS_WORK,
        summary="Take a file of ours back, here and wherever it was announced",
        form=WhyForm,
        handler=_redact,
        answer=Sends.NOTHING,
        status=204,
    ),
)
