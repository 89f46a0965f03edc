"""What the agent of the token is told of, and what they want to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import notices
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing
from hub.api.views import Page
from hub.domain.notice import DAY_MINUTES, Choices, Digest, Kind, Way
from hub.domain.permission import Permission
from hub.queries import notices as views
from hub.queries.notices import NoticeLine

Minute = Annotated[int, Constraint(ge=0, lt=DAY_MINUTES)]


class Unwanted(Form):
    """One kind by one way."""

    kind: Kind
    way: Way


class ChoicesForm(Form):
    """What somebody wants; minutes are of their own day."""

    off: Annotated[tuple[Unwanted, ...], Constraint(max_length=len(Kind) * len(Way))] = ()
    digest: Digest = Digest.SOON
    quiet_from: Minute | None = None
    quiet_to: Minute | None = None


@dataclass(frozen=True, slots=True)
class UnwantedView:
    """One kind by one way."""

    kind: str
    way: str


@dataclass(frozen=True, slots=True)
class ChoicesView:
    """What somebody wants."""

    off: Sequence[UnwantedView]
    digest: str
    quiet_from: int | None
    quiet_to: int | None


def _view(choices: Choices) -> ChoicesView:
    off = [UnwantedView(str(kind), str(way)) for kind, way in sorted(choices.off)]
    return ChoicesView(off, str(choices.digest), choices.quiet_from, choices.quiet_to)


async def _told(visit: Visit, form: Nothing) -> Page[NoticeLine]:
    who = visit.actor.ref
    return Page((await visit.hub.db.read(lambda connection: views.of(connection, who)))[1])


async def _choices(visit: Visit, form: Nothing) -> ChoicesView:
    who = visit.actor.ref
    return _view((await visit.hub.db.read(lambda connection: views.of(connection, who)))[0])


async def _choose(visit: Visit, form: ChoicesForm) -> Effect[None]:
    wanted = Choices(
        frozenset((one.kind, one.way) for one in form.off),
        form.digest,
        form.quiet_from,
        form.quiet_to,
    )
    return Effect(
        lambda hub: notices.choose(hub, visit.actor, wanted),
        lambda _connection, _done: _view(wanted),
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listNotices",
        method="GET",
        path="/notices",
        scope=Permission.TICKETS_READ,
        summary="What the agent of the token was told lately, newest first",
        form=Nothing,
        handler=_told,
        answer=Page[NoticeLine],
    ),
    Route(
        name="getNoticeChoices",
        method="GET",
        path="/notice-choices",
        scope=Permission.TICKETS_READ,
        summary="What the agent of the token wants to be told of, and how",
        form=Nothing,
        handler=_choices,
        answer=ChoicesView,
    ),
    Route(
        name="chooseNotices",
        method="PUT",
        path="/notice-choices",
        scope=Permission.TICKETS_READ,
        summary="Be told of this from now on",
        form=ChoicesForm,
        takes=Takes.JSON,
        handler=_choose,
        answer=ChoicesView,
    ),
)
