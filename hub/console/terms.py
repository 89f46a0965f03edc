"""What was agreed with a partner, in sentences a person reads before signing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.console.words import N_, word
from hub.domain.agreement import DisclosureClass
from hub.domain.disclosure import LABELS
from hub.i18n import gettext as _
from hub.queries.amendments import AmendmentView
from hub.queries.links import LinkView

_TERMS: Final[Mapping[str, str]] = {
    "hand_off": N_("hand-offs"),
    "services": N_("services"),
    "max_open": N_("open hand-offs at a time"),
    "disclose": N_("the principal shows"),
    "contractor_discloses": N_("the contractor shows"),
    "fields": N_("custom fields"),
    "max_file_bytes": N_("largest file, bytes"),
    "max_files": N_("files in one message"),
    "messages_per_minute": N_("messages a minute"),
    "subcontracting": N_("handing the work on"),
    "auto_accept_after_hours": N_("confirmed by silence after, hours"),
    "cancel": N_("cancelling"),
    "cancel_assess_hours": N_("answer to a cancel request within, hours"),
    "warranty_days": N_("warranty, days"),
    "relay_comments": N_("comments go along the chain"),
    "hop_limit": N_("hand-offs in a chain"),
    "message_batch": N_("messages in a batch"),
    "file_bytes": N_("largest file the node takes, bytes"),
}
_DIRECTIONS: Final[Mapping[str, str]] = {
    "to_peer": N_("we → {peer}"),
    "from_peer": N_("{peer} → we"),
    "both": N_("both ways"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of an agreement."""

    sentence: str
    terms: list[tuple[str, str]]  # what, how much


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a proposal."""

    direction: str
    term: str
    before: str
    after: str


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
    shown = ", ".join([_("title"), *(_name(one) for one in said.get("disclose", ()))])
    template = may if said.get("hand_off") else may_not
    sentence = _(template).format(peer=view.peer.name, what=shown)
    rest = [
        (_(_TERMS[name]), _value(value))
        for name, value in said.items()
        if name in _TERMS and name not in {"hand_off", "disclose"}
    ]
    return Side(sentence, rest)


def changes(peer: str, amendment: AmendmentView) -> list[Change]:
    """What a proposal changes, a line for each term."""
    found = []
    for one in amendment.changes:
        after = _value(one.after)
        if isinstance(one.before, list) and isinstance(one.after, list) and one.before:
            come = [f"+ {_name(each)}" for each in one.after if each not in one.before]
            gone = [f"− {_name(each)}" for each in one.before if each not in one.after]  # noqa: RUF001
            after = ", ".join([*come, *gone]) if one.after else after
        direction = _(_DIRECTIONS[one.direction]).format(peer=peer)
        term = _(_TERMS[one.term]) if one.term in _TERMS else one.term
        found.append(Change(direction, term, _value(one.before), after))
    return found


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return word("yes" if value else "no")
    if isinstance(value, str):
        return word(value)
    if isinstance(value, Sequence):
        return ", ".join(_name(each) for each in value) or "—"
    return "—" if value is None else str(value)


def _name(value: Any) -> str:
    """A disclosure class in words; any other name as it is."""
    known = value in list(DisclosureClass)
    return _(LABELS[DisclosureClass(value)]) if known else str(value)
