"""`hub ticket ask-consent` and `consent`: whether the contractor may hand the work on."""

from __future__ import annotations

from hub.actions import consents
from hub.cli.grammar import Manner, option, verb
from hub.cli.steps import say_on, text_option, which_handoff, words_missing
from hub.domain.handoff import Party
from hub.i18n import N_
from hub.i18n import gettext as _


@verb(
    N_("Ask the principal whether the work may be handed on, where the terms want its consent."),
    'hub ticket ask-consent T-1001 --reason "Our own engineers are all out"',
    name="ask-consent",
)
@which_handoff
@option("--reason", metavar="TEXT", required=True, help=N_("Why, and to whom."))
def ask(manner: Manner, number: str, peer: str | None, reason: str) -> None:
    """Ask whether the work may be handed on."""
    say_on(
        manner,
        number,
        peer,
        Party.CONTRACTOR,
        lambda here, one: consents.ask(here.hub, here.actor, one.id, reason),
        _("{peer} is asked whether the work on {number} may be handed on."),
    )


@verb(
    N_("Let the contractor hand the work on, or with --refuse not."),
    "hub ticket consent T-1001",
    'hub ticket consent T-1001 --refuse --text "Only your own people: the site is guarded"',
)
@which_handoff
@text_option
@option("--refuse", is_flag=True, help=N_("The work may not be handed on."))
def answer(manner: Manner, number: str, peer: str | None, text: str | None, refuse: bool) -> None:
    """Answer whether the work may be handed on."""
    if refuse and not text:
        raise words_missing(
            number,
            N_("Say why not."),
            N_('hub ticket consent {number} --refuse --text "…"'),
        )
    say_on(
        manner,
        number,
        peer,
        Party.PRINCIPAL,
        lambda here, one: consents.answer(here.hub, here.actor, one.id, text, granted=not refuse),
        _("{peer} hears that the work on {number} may not be handed on.")
        if refuse
        else _("{peer} hears that the work on {number} may be handed on."),
    )
