"""Whether a contractor may hand its work on, where the terms want the principal's consent.

One question per hand-off at a time. Only the contractor asks, and only while it holds the pen;
the principal answers once. A yes lasts as long as the hand-off; after a no the contractor may
ask again.
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.handoff import PEN, Party, State
from hub.errors import Conflict, Refused


class Consent(StrEnum):
    """How the question stands. A hand-off without one was never asked about."""

    ASKED = "asked"  # the contractor waits for the principal's people
    GRANTED = "granted"  # the work may be handed on
    REFUSED = "refused"  # it may not; another question is possible


def check_ask(by: Party, state: State, stands: str | None) -> None:
    """Return if this party may ask now.

    Raises Refused(wrong_pen), Conflict(request_open | consent_given).
    """
    if by is not Party.CONTRACTOR or PEN[state] is not Party.CONTRACTOR:
        raise Refused(
            "wrong_pen",
            "Only the contractor asks for consent, and only while the work is with it.",
        )
    if stands == Consent.ASKED:
        raise Conflict("request_open", "The principal has been asked and has not answered yet.")
    if stands == Consent.GRANTED:
        raise Conflict("consent_given", "The principal has consented already.")


def check_answer(by: Party, stands: str | None) -> None:
    """Return if this party may answer now. Raises Refused(wrong_pen | no_request)."""
    if by is not Party.PRINCIPAL:
        raise Refused("wrong_pen", "Only the principal consents.")
    if stands != Consent.ASKED:
        raise Refused("no_request", "The contractor has not asked for consent.")


def answered(granted: bool) -> Consent:
    """What an answer makes of the question."""
    return Consent.GRANTED if granted else Consent.REFUSED
