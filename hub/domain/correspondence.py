"""What a letter becomes: a ticket, a reply, a note, nothing, or a matter for a person.

Deny by default: a letter says something on a ticket only if it proves that it belongs there, and
says it in somebody's name only if the domain of that name stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from hub.domain.comment import Visibility
from hub.domain.desk_letter import OVER, DeskLetter
from hub.domain.letter import Automatic, Letter, Standing

HOPS_MAX: Final = 3  # hubs that a letter may have gone through
ANSWER_AGAIN: Final = timedelta(days=1)  # one automatic answer in so long for one address


class Outcome(StrEnum):
    """What became of a letter."""

    TICKET = "ticket"  # a new one
    REPLY = "reply"  # a comment of its author
    NOTE = "note"  # a comment that only we see: who wrote it is not proven, or a program
    REPORT = "report"  # what it says of a letter of ours is noted there
    NOTHING = "nothing"  # our own letter came back, or a report about nothing of ours
    REPEATED = "repeated"  # the same letter came before
    HELD = "held"  # a person must look


@dataclass(frozen=True, slots=True)
class Known:
    """What our records say about the places a letter points at."""

    by_token: str | None  # address of the correspondence whose reply address it was sent to
    token_ended: bool  # that person has no part in it any more
    token_unknown: bool  # it was sent to a reply address that never was one
    by_reference: str | None  # address of the correspondence whose letters it refers to
    seen: bool  # the same letter came before
    ours: bool  # it carries our own mark
    report_of_ours: bool  # a report that came to where the bounces of a letter of ours go
    desk_ticket: bool = False  # the desk's number is a ticket of ours
    desk_echo: bool = False  # the desk only says what we said there


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is done with a letter, and why a person must look at it."""

    outcome: Outcome
    visibility: Visibility = Visibility.INTERNAL
    by_token: bool = False  # which correspondence it belongs to: that of the token
    answer: bool = False  # it may be acknowledged
    proven: bool = False  # the author is who the letter says
    why: str = ""  # message id


LABELS: Final = {
    "token": "The reply address is not valid, or not any more.",
    "failed": "The sender's domain says that this letter is not from there.",
    "thread": "It refers to a ticket, but nothing proves who wrote it.",
    "author": "It has no author that can be told for certain.",
    "size": "It is too large and stays in its mailbox.",
    "hops": "It went through too many hubs.",
    "number": "It comes from a customer's desk, but no number is found in it.",
    "slow": "A pattern of the profile of this customer's desk took too long.",
}
"""Why a letter is held for a person; message ids."""


def judge(letter: Letter, standing: Standing, known: Known) -> Judgement:
    """What this letter becomes."""
    if known.ours:
        return Judgement(Outcome.NOTHING)
    if known.seen:
        return Judgement(Outcome.REPEATED)
    if letter.automatic in {Automatic.BOUNCE, Automatic.DELAYED, Automatic.RECEIPT}:
        return Judgement(Outcome.REPORT if known.report_of_ours else Outcome.NOTHING)
    if known.report_of_ours:  # something came back to where only reports go
        return Judgement(Outcome.NOTHING)
    if letter.author is None:
        return Judgement(Outcome.HELD, why=LABELS["author"])
    if letter.hops >= HOPS_MAX:
        return Judgement(Outcome.HELD, why=LABELS["hops"])
    if known.token_unknown or known.token_ended:
        return Judgement(Outcome.HELD, why=LABELS["token"])
    proven = standing is Standing.ALIGNED
    if letter.desk is not None:
        return _of_desk(letter.desk, standing, known)
    if known.by_token is not None:
        return _to_token(letter, standing, known.by_token, proven=proven)
    if known.by_reference is not None:
        same = letter.author.key == known.by_reference
        if letter.automatic is not None:
            return Judgement(Outcome.NOTHING)  # nobody asked a program to speak here
        if same and proven:
            return Judgement(Outcome.REPLY, Visibility.CLIENT, proven=True)
        if standing is Standing.FAILED:
            return Judgement(Outcome.HELD, why=LABELS["failed"])
        return Judgement(Outcome.HELD, why=LABELS["thread"])
    if standing is Standing.FAILED:
        return Judgement(Outcome.HELD, why=LABELS["failed"])
    if letter.automatic is Automatic.ABSENCE:
        return Judgement(Outcome.NOTHING)
    return Judgement(Outcome.TICKET, answer=letter.automatic is None, proven=proven)


def _of_desk(desk: DeskLetter, standing: Standing, known: Known) -> Judgement:
    """A letter of a customer's desk: its number says where it belongs, its domain who wrote it."""
    proven = standing is Standing.ALIGNED
    if standing is Standing.FAILED:
        return Judgement(Outcome.HELD, why=LABELS["failed"])
    if desk.too_slow:
        return Judgement(Outcome.HELD, why=LABELS["slow"])
    if not desk.number:
        return Judgement(Outcome.HELD, why=LABELS["number"])
    if not known.desk_ticket:
        if desk.status in OVER:
            return Judgement(Outcome.NOTHING)  # the end of something we never had
        return Judgement(Outcome.TICKET, proven=proven)
    if not proven:
        return Judgement(Outcome.HELD, why=LABELS["thread"])
    if known.desk_echo:
        return Judgement(Outcome.NOTHING)
    return Judgement(Outcome.REPLY, Visibility.CLIENT, proven=True)


def _to_token(letter: Letter, standing: Standing, address: str, *, proven: bool) -> Judgement:
    assert letter.author is not None
    if letter.automatic is not None:
        return Judgement(Outcome.NOTE, by_token=True, proven=proven)
    if standing is Standing.FAILED:
        return Judgement(Outcome.HELD, why=LABELS["failed"])
    if letter.author.key != address:
        # A new address answers: it is heard, and replaces nobody.
        return Judgement(Outcome.NOTE, by_token=True)
    return Judgement(Outcome.REPLY, Visibility.CLIENT, by_token=True, proven=proven)
