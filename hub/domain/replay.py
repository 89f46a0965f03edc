"""The shared part of a hand-off, as its messages alone make it.

Both nodes hold the same messages, so both can compute what both must have: the state and its
columns, what the principal told of its ticket, comments and files. Values are as on the wire
(instants are texts). What only one side knows is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.chain import LONGEST
from hub.domain.consent import Consent, answered, check_ask
from hub.domain.handoff import PEN, Act, Party, Request, State, after, check_request
from hub.domain.ticket import Asset, Contact, Priority, Site
from hub.errors import Refused

Fields = dict[str, Any]

_COLUMNS: Final[Mapping[Act, Mapping[str, str]]] = {
    Act.ACCEPT: {"due_promised": "due_promised", "assignee": "assignee"},
    Act.DECLINE: {"text": "reason"},
    Act.START: {"plan": "plan"},
    Act.PEND: {"reason": "pend_reason", "until": "pend_until", "stops_clock": "stops_clock"},
    Act.RESOLVE: {
        "resolution": "resolution",
        "code": "resolution_code",
        "effort_minutes": "effort_minutes",
    },
    Act.HAND_BACK: {"reason": "reason", "effort_minutes": "effort_minutes"},
    Act.CONFIRM: {},
    Act.RETURN: {"reason": "reason", "round": "round"},
    Act.CLOSE: {"reason": "reason"},
    Act.CANCEL: {"reason": "reason"},
    Act.CANCELLED: {"effort_minutes": "effort_minutes"},
}
"""Which member of each message becomes which column, on both sides."""

REQUEST_CLOSED: Final[Mapping[str, None]] = {
    "request": None,
    "request_id": None,
    "request_reason": None,
    "request_at": None,
    "request_deadline": None,
}
"""What an answered request leaves behind."""


def step_changes(act: Act, said: Mapping[str, Any], at: object) -> Fields:
    """What the words of this act change in a hand-off, besides its state and since when."""
    changed: Fields = {
        column: said[member]
        for member, column in _COLUMNS[act].items()
        if said.get(member) is not None
    }
    if act is Act.DECLINE and "reason" not in changed:
        changed["reason"] = said["code"]
    if act is Act.START:
        changed["work_started"] = True
    if act in {Act.START, Act.RESOLVE, Act.HAND_BACK, Act.CANCELLED}:
        changed |= {"pend_reason": None, "pend_until": None, "stops_clock": None}
    if act is Act.RESOLVE:
        changed["resolved_at"] = at
    if act is Act.CLOSE:
        changed["closed_at"] = at
    if act is Act.CONFIRM:
        changed["confirmed_at"] = at
        if (rating := said.get("rating")) is not None:
            changed |= rating_changes(rating, 1)
    if act is Act.RETURN:
        # A new round is judged anew; what was said of the last one stays in the history.
        changed |= {"resolved_at": None, "confirmed_at": None, "closed_at": None}
    return changed


def rating_changes(rating: Mapping[str, Any], rev: int) -> Fields:
    """What a rating changes in a hand-off."""
    return {
        "score": rating["score"],
        "rating_criteria": rating.get("criteria") or {},
        "rating_text": rating.get("text"),
        "rating_rev": rev,
    }


def still_asked(request: str, target: State) -> bool:
    """Whether an open request makes sense in the new state; else the step itself answers it.

    An answer that is on its way all the same finds no open request and is only recorded.
    """
    if request == Request.CANCEL:
        return PEN[target] is Party.CONTRACTOR
    return target is State.RESOLVED


# --- the shared part ------------------------------------------------------------------------

CONTENT: Final = ("title", "description", "priority", "service", "contact", "site", "asset")
"""What the principal told of its ticket, and the contractor's own ticket must say."""

_PARTS: Final[Mapping[str, type[Contact | Site | Asset]]] = {
    "contact": Contact,
    "site": Site,
    "asset": Asset,
}
_PLAN: Final = ("eta", "assignee", "due_promised", "stage", "plan")


def plain(fields: Mapping[str, Any]) -> Fields:
    """The shared part in its one spelling: what is empty is absent."""
    found = {
        name: value for name, value in fields.items() if value is not None and value not in _EMPTY
    }
    if found.get("state") == State.DECLINED:
        found.pop("number_contractor", None)  # a rule that declines tells no number
    return found


_EMPTY: Final[tuple[object, ...]] = ("", {}, [])


@dataclass(frozen=True, slots=True)
class Said:
    """One message about a hand-off that took effect, by either side."""

    id: str
    by: Party
    type: str
    at: str  # its author's clock
    said: Mapping[str, Any]
    seq: int  # in its author's stream
    acked: int  # so much of the other stream was processed when it was written
    cause: str | None  # it reacts to this message


def in_causal_order(principal: Sequence[Said], contractor: Sequence[Said]) -> list[Said]:
    """Both sides' messages, each after everything its author knew when writing it.

    Of two that crossed, the principal's comes first: the rules give the same either way.
    """
    left = {Party.PRINCIPAL: list(principal), Party.CONTRACTOR: list(contractor)}
    order: list[Said] = []
    while left[Party.PRINCIPAL] or left[Party.CONTRACTOR]:
        for party in (Party.PRINCIPAL, Party.CONTRACTOR):
            if not left[party]:
                continue
            first, others = left[party][0], left[party.other]
            known = any(one.seq <= first.acked or one.id == first.cause for one in others)
            if not known:
                order.append(left[party].pop(0))
                break
        else:  # claims that contradict each other: the principal's stream goes first
            order.append(left[Party.PRINCIPAL].pop(0))
    return order


def fold(messages: Iterable[Said]) -> Fields:
    """The shared part that follows from these messages, in this order; empty without an offer."""
    fields: Fields = {}
    beside: dict[str, list[str]] = {}  # comment → files named beside its words
    for one in messages:
        if one.type == "handoff.offer":
            fields |= _offered(one)
        elif not fields:
            continue
        elif one.type.startswith("handoff.") and one.type.removeprefix("handoff.") in set(Act):
            _step(fields, one)
        elif one.type in _OTHERS:
            _OTHERS[one.type](fields, one)
        elif one.type == "comment.redact":
            _redacted(fields, one, beside.get(one.said["comment_id"], []))
        if one.type == "comment.add":
            beside[one.said["comment_id"]] = [f["attachment_id"] for f in one.said["files"]]
        for file in one.said.get("files", ()) if fields else ():
            fields.setdefault(file["attachment_id"], _file(file, one.by))
    return plain(fields)


def _offered(one: Said) -> Fields:
    said = one.said
    return {
        "state": State.OFFERED.value,
        "since": one.at,
        "round": 0,
        "number_principal": said["number"],
        "hops": list(said["hops"]),
        "hop_limit": min(said["hop_limit"], LONGEST),
        "offered_at": one.at,
        "valid_until": said.get("valid_until"),
        "due_requested": said.get("due_requested"),
        "work_started": False,
        "rating_rev": 0,
        "rating_reply_rev": 0,
        "priority": Priority.NORMAL.value,
        "service": said.get("service", ""),
        **_content(said),
    }


def _content(said: Mapping[str, Any]) -> Fields:
    found: Fields = {
        name: said[name] for name in ("title", "description", "priority") if name in said
    }
    for name, kind in _PARTS.items():
        if name in said:
            known = kind.__dataclass_fields__
            found[name] = {key: text for key, text in said[name].items() if key in known and text}
    return found


def _step(fields: Fields, one: Said) -> None:
    act, state = Act(one.type.removeprefix("handoff.")), State(fields["state"])
    if one.said.get("from") != state:
        return
    try:
        target = after(act, one.by, state)
    except Refused:
        return
    fields |= step_changes(act, one.said, one.at)
    if fields.get("request") is not None and not still_asked(fields["request"], target):
        _close_request(fields)
    if act is Act.ACCEPT:
        fields["number_contractor"] = one.said["number"]
    fields |= {"state": target.value, "since": one.at}


def _close_request(fields: Fields) -> None:
    for name in REQUEST_CLOSED:
        fields.pop(name, None)


def _asked(fields: Fields, one: Said) -> None:
    request = Request(one.type.removeprefix("handoff."))
    try:
        check_request(request, one.by, State(fields["state"]))
    except Refused:
        return  # it crossed a step
    fields |= {
        "request": request.value,
        "request_id": one.said["request_id"],
        "request_reason": one.said["reason"],
        "request_at": one.at,
    }


def _answered(fields: Fields, one: Said) -> None:
    if fields.get("request_id") == one.said["request_id"]:
        _close_request(fields)


def _consent_asked(fields: Fields, one: Said) -> None:
    try:
        check_ask(one.by, State(fields["state"]), fields.get("consent"))
    except Refused:
        return
    fields |= {
        "consent": Consent.ASKED.value,
        "consent_id": one.said["request_id"],
        "consent_text": one.said["reason"],
        "consent_at": one.at,
    }


def _consent_answered(fields: Fields, one: Said) -> None:
    if one.by is not Party.PRINCIPAL or fields.get("consent") != Consent.ASKED:
        return
    if fields["consent_id"] == one.said["request_id"]:
        fields |= {
            "consent": answered(one.said["granted"]).value,
            "consent_text": one.said.get("text"),
            "consent_at": one.at,
        }


def _updated(fields: Fields, one: Said) -> None:
    fields |= _content(one.said)
    if "due_requested" in one.said:
        fields["due_requested"] = one.said["due_requested"]


def _planned(fields: Fields, one: Said) -> None:
    fields |= {name: one.said[name] for name in _PLAN if name in one.said}
    if "number" in one.said:
        fields["number_contractor"] = one.said["number"]


def _rated(fields: Fields, one: Said) -> None:
    if one.said["rev"] > fields["rating_rev"]:
        fields |= rating_changes(one.said, one.said["rev"])


def _replied(fields: Fields, one: Said) -> None:
    if one.said["rev"] > fields["rating_reply_rev"]:
        fields |= {"rating_reply": one.said["text"], "rating_reply_rev": one.said["rev"]}


def _comment(fields: Fields, one: Said) -> None:
    fields[one.said["comment_id"]] = plain(
        {
            "by": one.by.value,
            "rev": 1,
            "format": one.said["format"],
            "body": one.said["body"],
            "at": one.said["at"],
        }
    )


def _edited(fields: Fields, one: Said) -> None:
    known = fields.get(one.said["comment_id"])
    if known is None or known["by"] != one.by or one.said["rev"] <= known["rev"]:
        return
    fields[one.said["comment_id"]] = plain(
        {
            **known,
            "rev": one.said["rev"],
            "format": one.said["format"],
            "body": one.said["body"],
            "edited_at": one.said["at"],
        }
    )


def _redacted(fields: Fields, one: Said, files: Iterable[str]) -> None:
    known = fields.get(one.said["comment_id"])
    if known is None or known["by"] != one.by or "redacted_at" in known:
        return
    without = {name: value for name, value in known.items() if name != "body"}
    fields[one.said["comment_id"]] = {**without, "redacted_at": one.said["at"]}
    for name in files:
        fields[name] = {**fields[name], "redacted": True}


def _file_redacted(fields: Fields, one: Said) -> None:
    known = fields.get(one.said["attachment_id"])
    if known is not None and known["by"] == one.by:
        fields[one.said["attachment_id"]] = {**known, "redacted": True}


def _file(described: Mapping[str, Any], by: Party) -> Fields:
    found: Fields = {name: described[name] for name in ("sha256", "size", "media_type", "name")}
    return {**found, "by": by.value, "redacted": False}


_OTHERS: Final[Mapping[str, Callable[[Fields, Said], None]]] = {
    "handoff.cancel_request": _asked,
    "handoff.retract_request": _asked,
    "handoff.cancel_refused": _answered,
    "handoff.retract_refused": _answered,
    "subcontract.ask": _consent_asked,
    "subcontract.answer": _consent_answered,
    "handoff.update": _updated,
    "handoff.plan": _planned,
    "rating.set": _rated,
    "rating.reply": _replied,
    "comment.add": _comment,
    "comment.edit": _edited,
    "file.redact": _file_redacted,
}
