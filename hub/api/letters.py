"""Letters of both directions: what came, what waits for a person, what of ours did not arrive."""

from __future__ import annotations

from typing import Any, Final, Literal

from hub.actions import letters, posts
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, Said
from hub.api.tickets import Cursor, Limit, check_cursor
from hub.api.views import Page, page_of
from hub.domain.permission import Permission
from hub.queries import letters as shown
from hub.queries.letters import LetterLine, LetterView


class ArrivedQuery(Form):
    """Which letters that came."""

    state: Literal["stored", "done", "held", "dropped"] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class SentQuery(Form):
    """Which letters of ours."""

    state: Literal["queued", "sent", "failed", "skipped"] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class RetryForm(Form):
    """What a person decided."""

    as_ticket: bool = False  # a held letter is a new matter


class DropForm(Form):
    """Why it is let be."""

    reason: Said


async def _arrived(visit: Visit, form: ArrivedQuery) -> Page[LetterLine]:
    before = check_cursor(form.cursor, "let")
    found = await visit.hub.db.read(
        lambda connection: shown.arrived(
            connection, state=form.state, before=before, limit=form.limit + 1
        )
    )
    return page_of(found, form.limit)


async def _sent(visit: Visit, form: SentQuery) -> Page[LetterLine]:
    before = check_cursor(form.cursor, "pst")
    found = await visit.hub.db.read(
        lambda connection: shown.sent(
            connection, state=form.state, before=before, limit=form.limit + 1
        )
    )
    return page_of(found, form.limit)


async def _show(visit: Visit, form: Nothing) -> LetterView:
    which = visit.params["letter"]
    return await visit.hub.db.read(lambda connection: shown.show(connection, which))


async def _retry(visit: Visit, form: RetryForm) -> Effect[None]:
    which = visit.params["letter"]
    ours = which.startswith("pst_")
    return Effect(
        lambda hub: (
            posts.replay(hub, visit.actor, which)
            if ours
            else letters.retry(hub, visit.actor, which, as_ticket=form.as_ticket)
        ),
        lambda connection, _done: shown.show(connection, which),
    )


async def _drop(visit: Visit, form: DropForm) -> Effect[None]:
    which = visit.params["letter"]
    drop = posts.skip if which.startswith("pst_") else letters.drop
    return Effect(
        lambda hub: drop(hub, visit.actor, which, form.reason),
        lambda connection, _done: shown.show(connection, which),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listLetters",
        method="GET",
        path="/letters",
        scope=Permission.DELIVERIES_READ,
        summary="Letters that came, newest first",
        form=ArrivedQuery,
        handler=_arrived,
        answer=Page[LetterLine],
    ),
    Route(
        name="listSentLetters",
        method="GET",
        path="/sent-letters",
        scope=Permission.DELIVERIES_READ,
        summary="Letters of ours, newest first",
        form=SentQuery,
        handler=_sent,
        answer=Page[LetterLine],
    ),
    Route(
        name="getLetter",
        method="GET",
        path="/letters/{letter}",
        scope=Permission.DELIVERIES_READ,
        summary="One letter of either direction, but for its bytes",
        form=Nothing,
        handler=_show,
        answer=LetterView,
    ),
    Route(
        name="retryLetter",
        method="POST",
        path="/letters/{letter}/retry",
        scope=Permission.DESKS_WRITE,
        summary="Read a held letter again, or send one of ours again",
        form=RetryForm,
        takes=Takes.JSON,
        handler=_retry,
        answer=LetterView,
    ),
    Route(
        name="dropLetter",
        method="POST",
        path="/letters/{letter}/drop",
        scope=Permission.DESKS_WRITE,
        summary="Set a held letter, or one of ours that did not arrive, aside for good",
        form=DropForm,
        takes=Takes.JSON,
        handler=_drop,
        answer=LetterView,
    ),
)
