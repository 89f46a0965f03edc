"""What leaves and what stays. A canary in every place; none of them may be heard outside."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain import disclosure
from hub.domain.agreement import DEFAULT_DISCLOSED, DisclosureClass
from hub.domain.chain import own_notice
from hub.domain.comment import Role, Visibility
from hub.domain.disclosure import (
    NEVER,
    NOT_AGREED,
    NOT_PUBLIC,
    TOO_BIG,
    WITHHELD,
    PublicView,
    comment_edit_view,
    comment_redact_view,
    comment_view,
    file_batches,
    file_view,
    link_view,
    notice_view,
    preview,
    statement_view,
    update_view,
)
from hub.domain.handoff import Act, Party, PendReason, State
from hub.domain.ticket import (
    Asset,
    ChecklistItem,
    Contact,
    Field,
    Priority,
    Requester,
    Site,
    Ticket,
)
from hub.errors import Refused
from hub.ids import AgentId, CommentId, HopId, TicketId
from hub.protocol import payloads
from tests.domain.builders import (
    COMPANY,
    NOW,
    TOKEN,
    a_comment,
    a_direction,
    a_file,
    a_ticket,
    an_author,
    an_id,
    an_offer,
)

ALL = frozenset(DisclosureClass)
NOTHING: frozenset[DisclosureClass] = frozenset()
SALT = "AAAAAAAAAAAAAAAAAAAAAA"
P, C = Party.PRINCIPAL, Party.CONTRACTOR
classes = st.frozensets(st.sampled_from(DisclosureClass))


def _text(view: PublicView) -> str:
    return json.dumps(view.to_data(), ensure_ascii=False)


def _fits(view: PublicView) -> dict[str, Any]:
    """The payload, after the public schema of its type has taken it."""
    data = view.to_data()
    payloads.check(payloads.TYPES[view.kind].schema_id, {"salt": SALT, **data})
    return data


# --- the lock ------------------------------------------------------------------------------


@pytest.mark.parametrize("maker", [None, object(), "key", True])
def test_nobody_else_can_make_a_public_view(maker: object) -> None:
    with pytest.raises(TypeError, match="only the functions of"):
        PublicView(maker, "comment.add", {"body": "secret"})


def test_a_public_view_cannot_be_filled_changed_or_copied_into_another() -> None:
    view = an_offer(a_ticket(), a_direction())
    with pytest.raises(AttributeError):
        view._data = {"title": "other"}
    with pytest.raises(AttributeError):
        view.kind = "x"  # type: ignore[misc]
    view.to_data()["title"] = "other"
    assert view.to_data()["title"] == "Printer is silent"
    with pytest.raises(AttributeError):
        copy.copy(view)
    with pytest.raises((AttributeError, TypeError)):
        pickle.loads(pickle.dumps(view))
    with pytest.raises(AttributeError):
        object.__new__(PublicView).to_data()
    with pytest.raises(TypeError, match="no variants"):
        type("Forged", (PublicView,), {})


def test_a_view_keeps_nothing_of_what_it_was_made_from() -> None:
    said: dict[str, Any] = {"from": State.CONFIRMED, "auto": False, "rating": {"score": 5}}
    view = statement_view("handoff.confirm", said, a_direction(), by=P, withhold=NOTHING)
    said["rating"]["score"] = "secret"
    assert view.to_data()["rating"] == {"score": 5}


def test_no_other_module_of_the_hub_has_the_key() -> None:
    hub = Path(inspect.getfile(disclosure)).parents[1]
    for module in hub.rglob("*.py"):
        if module != Path(inspect.getfile(disclosure)):
            assert not re.search(r"PublicView\(|disclosure\._|_MAKER", module.read_text("utf-8")), (
                module.name
            )


def test_a_view_shows_no_content_in_a_log() -> None:
    assert repr(an_offer(a_ticket(), a_direction())) == "<PublicView handoff.offer>"


# --- canaries ------------------------------------------------------------------------------

OF_CLASS = {
    "description": DisclosureClass.DESCRIPTION,
    "contact": DisclosureClass.CONTACT,
    "site": DisclosureClass.SITE,
    "asset": DisclosureClass.ASSET,
    "fields": DisclosureClass.FIELDS,
    "checklist": DisclosureClass.CHECKLIST,
    "file": DisclosureClass.FILES,
    "due": DisclosureClass.DUE,
}


class Canaries:
    """Unguessable words, each by the place it was put in."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.words: dict[str, str] = {}

    def put(self, place: str) -> str:
        return self.words.setdefault(place, f"canary-{self._seed:x}-{len(self.words)}-end")

    def heard_in(self, *texts: str) -> set[str]:
        return {place for place, word in self.words.items() if any(word in one for one in texts)}


def _a_canary_ticket(canaries: Canaries) -> Ticket:
    put = canaries.put

    def part(kind: type[Any], name: str) -> Any:
        return kind(*(put(f"{name}.{member}") for member in kind.__slots__))

    return a_ticket(
        id=TicketId(put("id")),
        number=put("number"),
        title=put("title"),
        description=put("description"),
        priority=Priority.URGENT,
        requester=part(Requester, "requester"),
        contact=part(Contact, "contact"),
        site=part(Site, "site"),
        asset=part(Asset, "asset"),
        fields=(
            Field(put("fields.named.name"), put("fields.named.value")),
            Field(put("internal.name"), put("internal.value")),
        ),
        checklist=(ChecklistItem(put("checklist.id"), put("checklist.text"), done=True),),
        created_by=AgentId(put("created_by")),
        assignee=AgentId(put("assignee")),
    )


def _may_leave(canaries: Canaries, shown: frozenset[DisclosureClass]) -> set[str]:
    return {
        place
        for place in canaries.words
        if place in {"title", "number"} or OF_CLASS.get(place.split(".")[0]) in shown
    }


@settings(max_examples=80, deadline=None)
@given(st.integers(2**60, 2**64), classes, classes, st.booleans())
def test_no_canary_of_an_offer_leaves_that_is_not_disclosed(
    seed: int,
    disclose: frozenset[DisclosureClass],
    withhold: frozenset[DisclosureClass],
    name_it: bool,
) -> None:
    canaries = Canaries(seed)
    ticket = _a_canary_ticket(canaries)
    named = ticket.fields[0].name
    direction = a_direction(disclose=disclose, fields=(named,) if name_it else ())
    files = [
        a_file(1, canaries.put("file.public")),
        a_file(2, canaries.put("unseen.internal"), Visibility.INTERNAL),
        a_file(3, canaries.put("unseen.client"), Visibility.CLIENT),
        a_file(4, canaries.put("unseen.big"), size=direction.max_file_bytes + 1),
    ]
    shown = disclose - withhold
    expected = _may_leave(canaries, shown)
    if not name_it:
        expected = {place for place in expected if not place.startswith("fields.")}

    offer = an_offer(ticket, direction, files, withhold)
    assert canaries.heard_in(_text(offer)) == expected
    assert ("due_requested" in offer.to_data()) is (DisclosureClass.DUE in shown)
    seen = "urgent" if DisclosureClass.PRIORITY in shown else "normal"
    assert offer.to_data()["priority"] == seen

    empty = a_ticket(
        title="", description="", contact=None, site=None, asset=None, fields=(), checklist=()
    )
    update = update_view(
        empty, ticket, direction, withhold=withhold, due_before=None, due=ticket.due_at
    )
    assert update is not None
    unsent = {place for place in expected if place.split(".")[0] in {"number", "file"}}
    assert canaries.heard_in(_text(update)) == expected - unsent

    looked_at = preview(ticket, files, direction, withhold, due=ticket.due_at)
    heard = canaries.heard_in(*(str(cell) for line in looked_at.leaves for cell in line))
    assert heard == expected - {"number", "checklist.id"}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2**60, 2**64),
    classes,
    classes,
    st.sampled_from(Party),
    st.booleans(),
    st.booleans(),
    st.sampled_from(Role),
)
def test_no_canary_of_an_author_leaves_that_is_not_disclosed(
    seed: int,
    disclose: frozenset[DisclosureClass],
    withhold: frozenset[DisclosureClass],
    by: Party,
    elsewhere: bool,
    relayed: bool,
    role: Role,
) -> None:
    canaries = Canaries(seed)
    author = an_author(
        display=canaries.put("name"),
        account=canaries.put("account") if elsewhere else COMPANY,
        role=role,
        ref=f"{canaries.put('ref')}@agents.example",
    )
    files = [a_file(1, canaries.put("file")), a_file(2, canaries.put("no"), Visibility.INTERNAL)]
    direction = a_direction(disclose=disclose, contractor_discloses=disclose)
    comment = a_comment(author=author, body=canaries.put("body"))
    view = comment_view(
        comment, files, direction, by=by, withhold=withhold, company=COMPANY, relayed=relayed
    )

    shown = disclose - withhold
    foreign = elsewhere or relayed
    needed = DisclosureClass.SUBCONTRACTOR_NAMES if foreign else DisclosureClass.AUTHOR_NAMES
    expected = {"body"}
    if DisclosureClass.FILES in shown:
        expected.add("file")
    if needed in shown and role is Role.AGENT:
        expected |= {"name", "account"} if elsewhere else {"name"}
    assert canaries.heard_in(_text(view)) == expected
    assert "@" not in _text(view)
    assert view.to_data()["author"]["account"] == COMPANY  # type: ignore[index,call-overload]
    _fits(view)


# --- offers --------------------------------------------------------------------------------


def test_by_default_exactly_the_decided_members_leave() -> None:
    data = _fits(an_offer(a_ticket(), a_direction(), [a_file()]))
    assert data == {
        "title": "Printer is silent",
        "number": "T-1042",
        "handed_off_at": "2026-03-02T09:30:00.000Z",
        "description": "No sound at all",
        "priority": "high",
        "due_requested": "2026-03-04T09:30:00.000Z",
        "contact": {
            "name": "Karl Contact",
            "phone": "+49 2",
            "email": "karl@client.example",
            "note": "after 9",
        },
        "site": {
            "name": "Branch 7",
            "address": "Main street 7",
            "note": "bell 3",
            "parent": "Client Ltd",
        },
        "asset": {
            "name": "Big printer",
            "model": "P-500",
            "inventory_number": "INV-7",
            "serial_number": "SN-7",
            "note": "heavy",
        },
        "hops": [TOKEN],
        "hop_limit": 5,
        "valid_until": "2026-03-02T13:30:00.000Z",
        "files": [
            {
                "attachment_id": an_id("att"),
                "sha256": a_file().sha256,
                "size": 1000,
                "media_type": "image/jpeg",
                "name": "photo.jpg",
            }
        ],
    }


@pytest.mark.parametrize("name", DisclosureClass)
def test_each_class_can_be_switched_off_for_the_link_and_for_one_hand_off(
    name: DisclosureClass,
) -> None:
    ticket, files = a_ticket(), [a_file()]
    direction = a_direction(disclose=ALL, fields=("Room",))
    by_link = an_offer(ticket, replace(direction, disclose=ALL - {name}), files)
    by_hand_off = an_offer(ticket, direction, files, frozenset({name}))
    assert by_link == by_hand_off
    in_an_offer = name not in {
        DisclosureClass.AUTHOR_NAMES,
        DisclosureClass.SUBCONTRACTOR_NAMES,
    }
    assert (by_link != an_offer(ticket, direction, files)) is in_an_offer
    _fits(by_link)


def test_a_hand_off_cannot_show_more_than_the_link() -> None:
    closed = a_direction(disclose=NOTHING)
    data = _fits(an_offer(a_ticket(), closed, [a_file()]))
    assert set(data) == {
        "title",
        "number",
        "handed_off_at",
        "priority",
        "hops",
        "hop_limit",
        "valid_until",
        "files",
    }
    assert (data["priority"], data["files"]) == ("normal", [])


@pytest.mark.parametrize(
    ("disclose", "names", "leaving"),
    [
        (DEFAULT_DISCLOSED, ("Room",), None),
        (ALL, (), None),
        (ALL, ("Room",), [{"name": "Room", "value": "12"}]),
        (ALL, ("room", "ROOM "), None),
    ],
)
def test_a_custom_field_needs_its_class_and_its_name(
    disclose: frozenset[DisclosureClass], names: tuple[str, ...], leaving: object
) -> None:
    direction = a_direction(disclose=disclose, fields=names)
    assert an_offer(a_ticket(), direction).to_data().get("fields") == leaving


def test_an_instant_leaves_in_utc() -> None:
    elsewhere = NOW.astimezone(tz=None)
    shifted = an_offer(a_ticket(due_at=elsewhere + timedelta(microseconds=1999)), a_direction())
    assert shifted.to_data()["due_requested"] == "2026-03-02T09:30:00.001Z"
    with pytest.raises(ValueError, match="time zone"):
        an_offer(a_ticket(due_at=NOW.replace(tzinfo=None)), a_direction())


def test_a_bare_ticket_makes_a_valid_offer() -> None:
    bare = a_ticket(
        description="", contact=None, site=Site(), asset=None, fields=(), checklist=(), due_at=None
    )
    assert "site" not in _fits(an_offer(bare, a_direction(disclose=ALL)))


# --- updates -------------------------------------------------------------------------------


def _update(
    before: Ticket, after: Ticket, disclose: frozenset[DisclosureClass] = DEFAULT_DISCLOSED
) -> Mapping[str, Any] | None:
    direction = a_direction(disclose=disclose, fields=("Room",))
    view = update_view(
        before,
        after,
        direction,
        withhold=NOTHING,
        due_before=before.due_at,
        due=after.due_at,
    )
    return None if view is None else _fits(view)


def test_an_update_names_only_what_changed() -> None:
    ticket = a_ticket()
    assert _update(ticket, replace(ticket, title="Printer smokes")) == {"title": "Printer smokes"}
    assert _update(ticket, replace(ticket, priority=Priority.LOW)) == {"priority": "low"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"assignee": None},
        {"requester": None},
        {"checklist": ()},
        {"fields": (Field("Room", "13"),)},
        {"updated_at": NOW + timedelta(days=1)},
    ],
)
def test_an_internal_change_is_not_even_mentioned(change: dict[str, Any]) -> None:
    ticket = a_ticket()
    assert _update(ticket, replace(ticket, **change)) is None


def test_a_change_of_an_unnamed_field_is_not_even_mentioned() -> None:
    ticket = a_ticket()
    secret = replace(ticket, fields=(Field("Room", "12"), Field("Margin", "50 %")))
    open_ = replace(ticket, fields=(Field("Room", "13"), Field("Margin", "40 %")))
    assert _update(ticket, secret, ALL) is None
    assert _update(ticket, open_, ALL) == {"fields": [{"name": "Room", "value": "13"}]}


def test_a_part_that_was_emptied_leaves_as_empty() -> None:
    ticket = a_ticket()
    emptied = replace(
        ticket, description="", contact=None, site=None, asset=None, fields=(), checklist=()
    )
    assert _update(ticket, emptied, ALL) == {
        "description": "",
        "contact": {},
        "site": {},
        "asset": {},
        "fields": [],
        "checklist": [],
    }


def test_an_emptied_due_date_has_no_words_on_the_wire() -> None:
    ticket = a_ticket()
    assert _update(ticket, replace(ticket, due_at=None)) is None
    assert _update(replace(ticket, due_at=None), ticket) == {
        "due_requested": "2026-03-04T09:30:00.000Z"
    }


# --- comments ------------------------------------------------------------------------------


def _comment(**changes: Any) -> PublicView:
    wish: dict[str, Any] = {
        "comment": a_comment(),
        "files": (),
        "direction": a_direction(),
        "by": P,
        "withhold": NOTHING,
        "company": COMPANY,
        "relayed": False,
    }
    return comment_view(**{**wish, **changes})


@pytest.mark.parametrize("visibility", [Visibility.INTERNAL, Visibility.CLIENT])
def test_a_comment_that_is_not_public_cannot_become_a_view(visibility: Visibility) -> None:
    comment = a_comment(visibility=visibility)
    with pytest.raises(Refused, match="not_public"):
        _comment(comment=comment)
    with pytest.raises(Refused, match="not_public"):
        comment_edit_view(replace(comment, rev=2))


def test_our_own_agent_is_named_where_names_are_disclosed() -> None:
    assert _fits(_comment())["author"] == {
        "ref": an_id("agt", 5),
        "display": "Anna Agent",
        "role": "agent",
        "account": COMPANY,
    }


def test_else_the_company_speaks() -> None:
    expected = {"ref": "company", "display": COMPANY, "role": "agent", "account": COMPANY}
    withheld = _comment(withhold=frozenset({DisclosureClass.AUTHOR_NAMES}))
    not_agreed = _comment(direction=a_direction(disclose=NOTHING))
    assert withheld.to_data()["author"] == expected
    assert withheld == not_agreed


@pytest.mark.parametrize("display", ["anna@north.example", "", "  "])
def test_an_address_or_nothing_is_not_a_name(display: str) -> None:
    author = an_author(display=display, ref="anna@north.example")
    view = _comment(comment=a_comment(author=author))
    assert view.to_data()["author"]["display"] == COMPANY  # type: ignore[index,call-overload]
    assert "@" not in _text(view)


def test_a_requester_is_never_named() -> None:
    author = an_author(display="Rita Requester", role=Role.REQUESTER, ref="rita@client.example")
    data = _comment(comment=a_comment(author=author), direction=a_direction(disclose=ALL)).to_data()
    assert data["author"] == {
        "ref": "company",
        "display": COMPANY,
        "role": "requester",
        "account": COMPANY,
    }


@pytest.mark.parametrize(
    ("disclose", "display"),
    [(DEFAULT_DISCLOSED, COMPANY), (ALL, "Sven (South Repair)"), (NOTHING, COMPANY)],
)
def test_a_relayed_comment_is_ours_unless_other_names_are_disclosed(
    disclose: frozenset[DisclosureClass], display: str
) -> None:
    author = an_author("Sven", "South Repair", ref="south-7")
    data = _fits(
        _comment(
            comment=a_comment(author=author),
            direction=a_direction(disclose=disclose),
            relayed=True,
        )
    )
    assert data["author"]["display"] == display
    assert data["author"]["account"] == COMPANY
    assert "south-7" not in str(data)


def test_a_company_that_calls_itself_like_us_does_not_get_its_names_out() -> None:
    author = an_author("Sven", COMPANY)
    view = _comment(comment=a_comment(author=author), relayed=True)
    assert "Sven" not in _text(view)


def test_an_author_of_another_company_counts_as_relayed_whatever_the_caller_says() -> None:
    comment = a_comment(author=an_author("Sven", "South Repair"))
    assert "Sven" not in _text(_comment(comment=comment, relayed=False))
    named = _comment(comment=comment, direction=a_direction(disclose=ALL), relayed=False)
    assert "Sven (South Repair)" in _text(named)


def test_long_names_fit_the_wire() -> None:
    author = an_author("N" * 400, "C" * 400)
    view = _comment(comment=a_comment(author=author), direction=a_direction(disclose=ALL))
    _fits(view)
    _fits(_comment(comment=a_comment(author=replace(author, account=COMPANY))))


def test_the_contractor_answers_by_its_own_disclosure() -> None:
    direction = a_direction(disclose=NOTHING, contractor_discloses=ALL)
    assert "Anna" in _text(_comment(direction=direction, by=C))
    assert "Anna" not in _text(_comment(direction=direction, by=P))


def test_a_comment_of_files_only_needs_a_file_that_may_leave() -> None:
    files = (a_file(),)
    silent = a_comment(body="")
    assert _fits(_comment(comment=silent, files=files))["body"] == ""
    for wish in (
        {"files": ()},
        {"files": files, "withhold": frozenset({DisclosureClass.FILES})},
        {"files": (a_file(visibility=Visibility.INTERNAL),)},
    ):
        with pytest.raises(Refused, match="nothing_leaves"):
            _comment(comment=silent, **wish)


def test_a_reply_an_edit_and_a_redaction_fit_the_wire() -> None:
    reply = a_comment(reply_to=CommentId(an_id("cmt", 9)))
    assert _fits(_comment(comment=reply))["reply_to"] == an_id("cmt", 9)
    edited = _fits(comment_edit_view(a_comment(rev=2, body="Later")))
    assert (edited["rev"], edited["body"]) == (2, "Later")
    assert set(_fits(comment_redact_view(CommentId(an_id("cmt")), NOW))) == {"comment_id", "at"}


# --- files ---------------------------------------------------------------------------------


def test_files_leave_in_batches_that_one_message_can_name() -> None:
    files = [a_file(number) for number in range(45)]
    batches = file_batches(files, a_direction(), by=P, withhold=NOTHING)
    assert [len(one) for one in batches] == [20, 20, 5]
    assert [one for batch in batches for one in batch] == files
    assert len(_fits(an_offer(a_ticket(), a_direction(), files))["files"]) == 20
    for batch in batches:
        view = file_view(
            batch,
            an_author(),
            NOW,
            a_direction(),
            by=P,
            withhold=NOTHING,
            company=COMPANY,
            relayed=False,
        )
        assert len(_fits(view)["files"]) == len(batch)


def test_long_names_make_smaller_batches() -> None:
    files = [a_file(number, name="я" * 255) for number in range(40)]
    batches = file_batches(files, a_direction(), by=P, withhold=NOTHING)
    assert sum(len(one) for one in batches) == 40
    assert max(len(one) for one in batches) < 20


@pytest.mark.parametrize(
    "files",
    [(), (a_file(visibility=Visibility.CLIENT),), (a_file(size=10**12),)],
)
def test_files_that_may_not_leave_make_no_message(files: tuple[Any, ...]) -> None:
    with pytest.raises(Refused, match="nothing_leaves"):
        file_view(
            files,
            an_author(),
            NOW,
            a_direction(),
            by=P,
            withhold=NOTHING,
            company=COMPANY,
            relayed=False,
        )


def test_a_link_without_files_has_no_batches() -> None:
    direction = a_direction(max_files=0)
    assert file_batches([a_file()], direction, by=P, withhold=NOTHING) == ()


# --- statements ----------------------------------------------------------------------------

ASK = an_id("req")
STATEMENTS: dict[str, dict[str, object]] = {
    "handoff.accept": {"from": State.OFFERED, "number": "B-7", "assignee": "Anna Agent"},
    "handoff.decline": {"from": State.OFFERED, "code": "capacity", "text": ""},
    "handoff.start": {"from": State.ACCEPTED, "plan": "Go there"},
    "handoff.pend": {
        "from": State.ACCEPTED,
        "reason": PendReason.AWAITING_PARTS,
        "until": NOW,
        "stops_clock": True,
    },
    "handoff.resolve": {"from": State.PENDING, "resolution": "Cable", "effort_minutes": 15},
    "handoff.hand_back": {"from": State.REWORK, "reason": "No tools", "work_done": ""},
    "handoff.confirm": {
        "from": State.RESOLVED,
        "auto": False,
        "rating": {"score": 5, "criteria": {"speed": 4}, "text": None},
    },
    "handoff.return": {"from": State.CLOSED, "round": 1, "reason": "Again", "cause": "reopen"},
    "handoff.close": {"from": State.CONFIRMED, "reason": ""},
    "handoff.cancel": {"from": State.RESOLVED, "reason": "Not needed"},
    "handoff.cancel_request": {"request_id": ASK, "reason": "Wrong", "code": "recall"},
    "handoff.cancelled": {"from": State.ACCEPTED, "request_id": ASK, "effort_minutes": 0},
    "handoff.cancel_refused": {"request_id": ASK, "code": "work_started"},
    "handoff.retract_request": {"request_id": ASK, "reason": "Forgot a screw"},
    "handoff.retract_refused": {"request_id": ASK, "text": "Leave it"},
    "handoff.plan": {"eta": NOW, "stage": "diagnosis"},
    "subcontract.ask": {"request_id": ASK, "reason": "Nobody is free"},
    "subcontract.answer": {"request_id": ASK, "granted": False, "text": "Only you"},
    "file.redact": {"attachment_id": an_id("att"), "at": NOW, "reason": "wrong photo"},
    "file.status": {
        "attachment_id": an_id("att"),
        "sha256": a_file().sha256,
        "status": "available",
    },
    "rating.set": {"score": 4, "rev": 1, "criteria": {}},
    "rating.reply": {"text": "Thanks", "at": NOW, "rev": 1},
    "data.erase": {"scope": "ticket", "reason": "Asked by the person", "at": NOW},
    "data.erased": {"ref_id": an_id("msg"), "at": NOW, "what": {"messages": 3}, "held": "court"},
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_each_statement_fits_the_wire(kind: str) -> None:
    data = _fits(statement_view(kind, STATEMENTS[kind], a_direction(), by=C, withhold=NOTHING))
    assert "" not in data.values()
    assert None not in data.values()


def test_every_message_of_the_protocol_can_be_made_here() -> None:
    own = {"handoff.offer", "handoff.update", "comment.add", "comment.edit", "comment.redact"}
    own |= {"file.add", "subcontract.notice"}
    links = {kind for kind in payloads.TYPES if kind.startswith(("link.", "message."))}
    assert set(payloads.TYPES) == own | links | set(STATEMENTS)
    assert {f"handoff.{act}" for act in Act} <= set(payloads.TYPES)
    assert links < set(disclosure._SAID)


def test_a_statement_has_no_other_members_and_no_other_types() -> None:
    def say(kind: str, **said: object) -> PublicView:
        return statement_view(kind, said, a_direction(), by=C, withhold=NOTHING)

    with pytest.raises(ValueError, match="no member internal"):
        say("handoff.close", internal="secret")
    with pytest.raises(ValueError, match="of its own"):
        say("comment.add", body="secret")
    with pytest.raises(ValueError, match="of its own"):
        say("handoff.offer", title="secret")
    with pytest.raises(TypeError, match="a Ticket does not leave"):
        say("handoff.close", reason=a_ticket())
    with pytest.raises(TypeError, match="a float does not leave"):
        say("handoff.resolve", effort_minutes=1.5)
    with pytest.raises(TypeError, match="files are attachments"):
        say("handoff.resolve", resolution="x", files=[{"name": "secret"}])
    with pytest.raises(ValueError, match="not about the link"):
        link_view("handoff.close", {})


def test_the_assignee_and_files_of_a_statement_follow_the_disclosure() -> None:
    def resolve(withhold: frozenset[DisclosureClass]) -> Any:
        said = {"from": State.PENDING, "resolution": "Cable", "files": [a_file()]}
        return _fits(
            statement_view("handoff.resolve", said, a_direction(), by=C, withhold=withhold)
        )

    assert len(resolve(NOTHING)["files"]) == 1
    assert resolve(ALL)["files"] == []

    def plan(assignee: str, withhold: frozenset[DisclosureClass] = NOTHING) -> Any:
        said = {"assignee": assignee, "stage": "x"}
        return statement_view(
            "handoff.plan", said, a_direction(), by=C, withhold=withhold
        ).to_data()

    assert plan("Anna Agent") == {"assignee": "Anna Agent", "stage": "x"}
    assert plan("Anna Agent", ALL) == {"stage": "x"}
    assert plan("anna@north.example") == {"stage": "x"}


def test_texts_that_do_not_fit_together_are_refused_before_anything_is_sent() -> None:
    said = {"from": State.PENDING, "reason": "я" * 20_000, "work_done": "я" * 20_000}
    with pytest.raises(Refused, match="text_too_long"):
        statement_view("handoff.hand_back", said, a_direction(), by=C, withhold=NOTHING)


def test_messages_about_the_link_fit_the_wire() -> None:
    _fits(link_view("link.suspend", {"reason": "holidays"}))
    _fits(link_view("link.resume", {}))
    _fits(link_view("link.close", {"reason": ""}))


def test_a_notice_names_the_company_only_where_the_contractor_discloses_it() -> None:
    notice = own_notice(HopId(an_id("hop")), State.ACCEPTED, NOW, display="South Repair")
    shown = a_direction(contractor_discloses=ALL)
    assert _fits(notice_view(notice, shown, withhold=NOTHING))["display"] == "South Repair"
    for view in (
        notice_view(notice, a_direction(), withhold=NOTHING),
        notice_view(notice, shown, withhold=ALL),
    ):
        assert "South" not in _text(view)
        assert _fits(view)["level"] == 2


# --- the preview ---------------------------------------------------------------------------


def _flat(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _flat(one)
    elif isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield str(value)


def test_the_preview_says_what_leaves_and_why_the_rest_stays() -> None:
    direction = a_direction(disclose=DEFAULT_DISCLOSED | {DisclosureClass.FIELDS}, fields=("Room",))
    files = [
        a_file(1, "a.jpg"),
        a_file(2, "b.jpg", Visibility.INTERNAL),
        a_file(3, "c.iso", size=10**12),
    ]
    looked_at = preview(a_ticket(), files, direction, frozenset({DisclosureClass.CONTACT}), due=NOW)
    assert dict(looked_at.leaves) == {
        "Title": "Printer is silent",
        "Description": "No sound at all",
        "Priority": "high",
        "Due": datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        "Site": "Branch 7, Main street 7, bell 3, Client Ltd",
        "Asset": "Big printer, P-500, INV-7, SN-7, heavy",
        "Room": "12",
        "Files": "a.jpg",
        "Names of our people": "Shown beside their public comments.",
    }
    assert dict(looked_at.stays) == {
        "Contact": WITHHELD,
        "Checklist": NOT_AGREED,
        "Margin": NOT_AGREED,
        "b.jpg": NOT_PUBLIC,
        "c.iso": TOO_BIG,
        "Requester": NEVER,
        "Assignee": NEVER,
        "Internal comments": NEVER,
    }


@settings(max_examples=60, deadline=None)
@given(classes, classes)
def test_the_preview_is_what_the_offer_says(
    disclose: frozenset[DisclosureClass], withhold: frozenset[DisclosureClass]
) -> None:
    direction = a_direction(disclose=disclose, fields=("Room",))
    ticket, files = a_ticket(), [a_file()]
    offer = an_offer(ticket, direction, files, withhold).to_data()
    looked_at = preview(ticket, files, direction, withhold, due=ticket.due_at)
    shown_to_people = " ".join(str(value) for _label, value in looked_at.leaves)
    for member in ("title", "description", "contact", "site", "asset"):
        for text in _flat(offer.get(member, "")):
            assert text in shown_to_people
    labels = [label for label, _why in looked_at.stays]
    for member, label in (
        ("contact", "Contact"),
        ("checklist", "Checklist"),
        ("fields", "Custom fields"),
        ("due_requested", "Due"),
    ):
        assert (member in offer) is (label not in labels)
    assert ("photo.jpg" in labels) is (offer["files"] == [])
