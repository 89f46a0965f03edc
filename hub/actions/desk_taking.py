"""One taking-over of a ticket of a foreign desk, as the parts of it hand it on to each other.

`pulling` begins it; `desk_words` takes comments and files, `desk_events` what else happened to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.actions.context import Actor, Hub
from hub.actions.files import NewFile
from hub.domain.desk import DeskRole, PairState, Rules, TheirFile, TheirTicket
from hub.domain.lengths import CONTENT_MAX, TEXT_MAX, TITLE_MAX, shortened
from hub.i18n import gettext as _
from hub.ids import DeskId, PairId, TicketId
from hub.storage import desk_tickets
from hub.storage.database import Tx
from hub.storage.desk_tickets import Item

NO_MORE: Final = ""  # in the place of a print: what became of it over there is not ours to follow


@dataclass(slots=True)
class Taken:
    """What one taking-over changed."""

    ticket_id: TicketId
    pair_id: PairId
    begun: bool = False
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)  # before, after
    comments: int = 0
    edited: int = 0
    files: int = 0
    unknown: tuple[tuple[str, str], ...] = ()
    state: PairState = PairState.LIVE


@dataclass(slots=True)
class Taking:
    """One taking-over under way."""

    tx: Tx
    hub: Hub
    desk_id: DeskId
    rules: Rules
    there: TheirTicket
    fetched: Mapping[str, NewFile | None]
    now: datetime
    actor: Actor
    done: Taken
    items: dict[tuple[str, str], Item] = field(default_factory=dict)  # by kind and their id
    going: set[tuple[str, str]] = field(default_factory=set)  # kind and print of what is on its way
    tied: set[str] = field(default_factory=set)  # ids here of what both sides have
    restored: bool = False  # words of theirs may be here again already, from a partner's log

    def account(self) -> str:
        """Whose words theirs are."""
        return self.hub.account.name if self.rules.role is DeskRole.OWN else self.rules.company


def crosses(rules: Rules, public: bool) -> bool:
    """Whether words over there, public or not, become ours."""
    return public or rules.takes_notes


def crossing(rules: Rules, there: TheirTicket) -> list[tuple[TheirFile, str | None]]:
    """Their files that become ours, with the comment each belongs to."""
    shown = {one.id for one in there.comments if not one.by_us and crosses(rules, one.public)}
    return [
        (file, comment)
        for file, comment in there.every_file()
        if not file.by_us
        and (comment in shown if comment is not None else crosses(rules, file.public))
    ]


def title_of(text: str) -> str:
    """Their title as ours: one line, and never empty."""
    return shortened(" ".join(text.split()), TITLE_MAX, TITLE_MAX * 2) or _("(no subject)")


def text_of(text: str) -> str:
    """Their text as ours, shortened to what we keep."""
    return shortened(text, TEXT_MAX, CONTENT_MAX // 2)


def keep(taking: Taking, kind: str, local_id: str, external_id: str, print_: str) -> None:
    """Both sides have this: under this id here, and that one over there."""
    item = Item(
        pair_id=taking.done.pair_id,
        kind=kind,
        local_id=local_id,
        external_id=external_id,
        ours=False,
        rev=1,
        print=print_,
        at=taking.now,
    )
    desk_tickets.keep_item(taking.tx, item)
    taking.items[kind, external_id] = item
    taking.tied.add(local_id)
