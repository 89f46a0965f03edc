"""What a change of the terms says, in words: for the console, the command line and letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.agreement import INVITEE_TO_INVITER, INVITER_TO_INVITEE, DisclosureClass
from hub.domain.amendment import LIMITS, Change
from hub.domain.disclosure import LABELS
from hub.i18n import N_
from hub.i18n import gettext as _

TERM_LABELS: Final[Mapping[str, str]] = {
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
"""What may change: message ids."""

_VALUES: Final[Mapping[str, str]] = {
    "forbidden": N_("forbidden"),
    "consent": N_("with consent"),
    "notice": N_("with notice"),
    "allowed": N_("allowed"),
    "auto": N_("granted at once"),
    "assess": N_("decided by people"),
}

_FOR_THE_INVITED: Final[Mapping[str, str]] = {
    INVITER_TO_INVITEE: N_("{company} → you"),
    INVITEE_TO_INVITER: N_("you → {company}"),
    LIMITS: N_("both ways"),
}


@dataclass(frozen=True, slots=True)
class SaidChange:
    """One term that becomes another, in the language that is being read."""

    direction: str
    term: str
    before: str
    after: str


def said(direction: str, term: str, before: Any, after: Any) -> SaidChange:
    """Put a change in words; of a list that goes on, what comes and what goes."""
    then = value(after)
    if isinstance(before, list) and isinstance(after, list) and before and after:
        come = [f"+ {_name(one)}" for one in after if one not in before]
        gone = [f"− {_name(one)}" for one in before if one not in after]  # noqa: RUF001 - a minus
        then = ", ".join([*come, *gone])
    label = TERM_LABELS.get(term)
    return SaidChange(direction, term if label is None else _(label), value(before), then)


def to_the_invited(company: str, changes: Iterable[Change]) -> list[SaidChange]:
    """What our proposal changes, as the partner reads it."""
    return [
        said(
            _(_FOR_THE_INVITED[one.where]).format(company=company), one.term, one.before, one.after
        )
        for one in changes
    ]


def value(what: Any) -> str:
    """One value of a term."""
    if isinstance(what, bool):
        return _("yes") if what else _("no")
    if isinstance(what, str):
        return _(_VALUES[what]) if what in _VALUES else what
    if isinstance(what, Sequence):
        return ", ".join(_name(one) for one in what) or "—"
    return "—" if what is None else str(what)


def _name(one: Any) -> str:
    """A disclosure class in words; any other name as it is."""
    return _(LABELS[DisclosureClass(one)]) if one in list(DisclosureClass) else str(one)
