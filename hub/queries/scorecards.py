"""Partners' records as whoever chooses one sees them."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from typing import Final

from hub.domain.scorecard import WINDOW, Outcome
from hub.domain.scorecard import Scorecard as Scorecard  # noqa: PLC0414 - shown as it is
from hub.domain.scorecard import scorecard as _figures
from hub.storage import handoffs
from hub.storage.database import Connection

_MOST: Final = 200  # hand-offs that are looked at


def of_link(connection: Connection, link_id: str, now: datetime) -> Scorecard:
    """The record of the partner behind this link, over the last three months."""
    past = handoffs.past_of(connection, link_id, now - WINDOW, _MOST)
    return _figures([Outcome(*astuple(one)) for one in past])
