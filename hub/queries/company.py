"""The company's own card, and for how long it keeps what can go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.settings import Limits
from hub.storage import erasures, nodes
from hub.storage.database import Connection


@dataclass(frozen=True, slots=True)
class CardView:
    """How requesters reach us beside their page; empty: not told."""

    phone: str
    email: str
    hours: str


@dataclass(frozen=True, slots=True)
class KeptView:
    """For how many days one kind of things is kept."""

    days: int  # in force
    decided: int | None  # by an administrator; null: the settings say it
    settings: int


@dataclass(frozen=True, slots=True)
class HeldView:
    """A ticket of which nothing is erased or pruned."""

    ticket: str
    title: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RetentionView:
    """What is kept how long, and what is held."""

    data: KeptView  # texts of messages, after their receipt
    letters: KeptView  # the bytes of letters
    held: list[HeldView]


def card(connection: Connection) -> CardView:
    """The company's card."""
    found = nodes.card(connection)
    return CardView(found.phone, found.email, found.hours)


def retention(connection: Connection, limits: Limits) -> RetentionView:
    """What is kept how long, and what is held."""
    decided = nodes.keeping(connection)
    return RetentionView(
        _kept(decided.keep_data_days, limits.keep_data_days),
        _kept(decided.keep_letters_days, limits.keep_letters_days),
        [HeldView(*one) for one in erasures.held(connection)],
    )


def _kept(decided: int | None, settings: int) -> KeptView:
    return KeptView(decided or settings, decided, settings)
