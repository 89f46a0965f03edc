"""The pages dispatchers and engineers work in, and those of requesters."""

from __future__ import annotations

from typing import Final

from hub.console.door import Page
from hub.console.pages import (
    files,
    guest,
    handoffs,
    live,
    partner_acts,
    queue,
    ticket,
    tickets,
    today,
)

PAGES: Final[tuple[Page, ...]] = (
    *queue.PAGES,
    *tickets.PAGES,
    *ticket.PAGES,
    *files.PAGES,
    *handoffs.PAGES,
    *today.PAGES,
    *guest.PAGES,
    *partner_acts.PAGES,
    *live.PAGES,
)
