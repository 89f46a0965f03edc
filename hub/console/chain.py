"""The chain of a ticket across companies, drawn as SVG by the server; a second form for phones.

No style stands in it: the policy of the pages allows none, and the sheet knows its classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from hub.console.words import look, word
from hub.i18n import gettext as _
from hub.queries.tickets import TicketView

_BOX: Final = (190, 62)
_GAP: Final = 46
_TEXT_MAX: Final = 21


@dataclass(frozen=True, slots=True)
class Stop:
    """One company of the chain."""

    company: str
    state: str  # of the hand-off by which it has the work; ours: of our ticket
    ours: bool
    number: str = ""


def stops(ticket: TicketView, company: str) -> list[Stop]:
    """From the first principal we know of down to the last contractor."""
    above = [
        Stop(one.peer, one.state, ours=False, number=one.peer_number or "")
        for one in ticket.handoffs
        if one.role == "contractor" and not one.detached
    ]
    numbers = {
        one.peer: one.peer_number or "" for one in ticket.handoffs if one.role == "principal"
    }
    below = [
        Stop(one.account, one.state, ours=False, number=numbers.get(one.account, ""))
        for one in ticket.chain
    ]
    return [*above[-1:], Stop(company, ticket.status, ours=True, number=ticket.number), *below]


def described(chain: Sequence[Stop]) -> str:
    """The same in words."""
    return " → ".join(f"{one.company}: {word(one.state)}" for one in chain)


def drawn(chain: Sequence[Stop], *, upright: bool = False) -> Markup:
    """The picture; `upright` for narrow screens."""
    width, height = _BOX
    count = len(chain)
    if upright:
        size = (width + 60, count * (height + 26) - 26)
        places = [(0, n * (height + 26)) for n in range(count)]
        kind = "chain upright"
    else:
        size = (count * (width + _GAP) - _GAP, height)
        places = [(n * (width + _GAP), 0) for n in range(count)]
        kind = "chain across"
    parts = [
        Markup(
            '<svg class="{}" viewBox="-2 -2 {} {}" role="img" preserveAspectRatio="xMinYMin">'
        ).format(kind, size[0] + 4, size[1] + 4),
        Markup("<title>{}</title><desc>{}</desc>").format(_("The chain"), described(chain)),
    ]
    for n, (one, place) in enumerate(zip(chain, places, strict=True)):
        if n:
            parts.append(_arrow(places[n - 1], place, upright=upright))
        parts.append(_box(one, *place))
    return Markup("").join([*parts, Markup("</svg>")])


def _arrow(start: tuple[int, int], end: tuple[int, int], *, upright: bool) -> Markup:
    width, height = _BOX
    if upright:
        x, y1, y2 = width // 2, start[1] + height + 3, end[1] - 5
        return Markup('<path class="chain-arrow" d="M{x} {y1}V{y2}m-5 -5l5 5l5 -5"/>').format(
            x=x, y1=y1, y2=y2
        )
    x1, x2, y = start[0] + width + 4, end[0] - 6, height // 2
    return Markup('<path class="chain-arrow" d="M{x1} {y}H{x2}m-6 -5l6 5l-6 5"/>').format(
        x1=x1, x2=x2, y=y
    )


def _box(one: Stop, x: int, y: int) -> Markup:
    width, height = _BOX
    shown = look(one.state)
    return Markup(
        '<g class="chain-stop look-{colour}{ours}">'
        '<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'
        '<text class="chain-name" x="{tx}" y="{y1}">{name}</text>'
        '<text class="chain-state" x="{tx}" y="{y2}">{state}</text></g>'
    ).format(
        colour=shown.colour,
        ours=" ours" if one.ours else "",
        x=x,
        y=y,
        width=width,
        height=height,
        tx=x + 14,
        y1=y + 25,
        y2=y + 46,
        name=_cut(one.company),
        state=_cut(" · ".join(part for part in (word(one.state), one.number) if part)),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"
