"""What was agreed with a partner, in sentences a person reads before signing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import term_words
from hub.queries.amendments import DIRECTION_LABELS, AmendmentView
from hub.queries.links import LinkView
from hub.queries.term_words import TERM_LABELS, SaidChange


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of an agreement."""

    sentence: str
    terms: list[tuple[str, str]]  # what, how much


def sides(view: LinkView) -> list[Side]:
    """Both directions: what each side lets the other do and see."""
    directions = (view.terms or {}).get("directions")
    if not isinstance(directions, Mapping):
        return []
    ours, theirs = "inviter_to_invitee", "invitee_to_inviter"
    if not view.invited_by_us:
        ours, theirs = theirs, ours
    told = (
        (
            ours,
            N_("We hand tickets to {peer} and show: {what}."),
            N_("We hand no tickets to {peer}."),
        ),
        (
            theirs,
            N_("{peer} hands tickets to us and shows: {what}."),
            N_("{peer} hands no tickets to us."),
        ),
    )
    return [_side(view, directions.get(name, {}), may, not_) for name, may, not_ in told]


def _side(view: LinkView, said: Mapping[str, Any], may: str, may_not: str) -> Side:
    shown = ", ".join([_("title"), *(term_words.value([one]) for one in said.get("disclose", ()))])
    template = may if said.get("hand_off") else may_not
    sentence = _(template).format(peer=view.peer.name, what=shown)
    rest = [
        (_(TERM_LABELS[name]), term_words.value(value))
        for name, value in said.items()
        if name in TERM_LABELS and name not in {"hand_off", "disclose"}
    ]
    return Side(sentence, rest)


def changes(peer: str, amendment: AmendmentView) -> list[SaidChange]:
    """What a proposal changes, a line for each term."""
    return [
        term_words.said(
            _(DIRECTION_LABELS[one.direction]).format(peer=peer), one.term, one.before, one.after
        )
        for one in amendment.changes
    ]
