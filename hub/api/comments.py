"""Comments."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import comments
from hub.api.door import Effect, Route, Sends, Takes, Visit
from hub.api.forms import Form, Text, Title
from hub.api.tickets import ticket_id
from hub.domain.comment import DEFAULT_VISIBILITY, BodyFormat, Visibility
from hub.domain.permission import Permission
from hub.ids import CommentId
from hub.queries import tickets as shown
from hub.queries.tickets import CommentView


class NewCommentForm(Form):
    """Something to say. Internal unless said otherwise; public goes to everybody who shares it."""

    body: Text = ""
    visibility: Visibility = DEFAULT_VISIBILITY
    format: BodyFormat = BodyFormat.PLAIN


class CommentChangeForm(Form):
    """The new text."""

    body: Text


class WhyForm(Form):
    """Why, if that is to be told."""

    reason: Title = ""


async def _add(visit: Visit, form: NewCommentForm) -> Effect[CommentId]:
    wish = comments.AddComment(
        await ticket_id(visit), form.body, form.visibility, form.format, visit.files
    )
    return Effect(
        lambda hub: comments.add(hub, visit.actor, wish),
        shown.comment,
    )


async def _edit(visit: Visit, form: CommentChangeForm) -> Effect[int]:
    which = CommentId(visit.params["comment"])
    return Effect(
        lambda hub: comments.edit(hub, visit.actor, which, form.body),
        lambda connection, _rev: shown.comment(connection, which),
    )


async def _redact(visit: Visit, form: WhyForm) -> Effect[None]:
    which = CommentId(visit.params["comment"])
    return Effect(
        lambda hub: comments.redact(hub, visit.actor, which, form.reason),
        lambda _connection, _done: None,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="addComment",
        method="POST",
        path="/tickets/{ticket}/comments",
        scope=Permission.TICKETS_WORK,
        summary="Say something on a ticket, with or without files",
        form=NewCommentForm,
        takes=Takes.JSON_OR_PARTS,
        handler=_add,
        answer=CommentView,
        status=201,
    ),
    Route(
        name="editComment",
        method="PATCH",
        path="/comments/{comment}",
        scope=Permission.TICKETS_WORK,
        summary="Replace the text of a comment of ours",
        form=CommentChangeForm,
        takes=Takes.JSON,
        handler=_edit,
        answer=CommentView,
    ),
    Route(
        name="redactComment",
        method="DELETE",
        path="/comments/{comment}",
        scope=Permission.TICKETS_WORK,
        summary="Take a comment of ours back, here and wherever it was sent",
        form=WhyForm,
        handler=_redact,
        answer=Sends.NOTHING,
        status=204,
    ),
)
