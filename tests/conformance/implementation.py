"""What the suite asks of an implementation besides the protocol: a few words to its people.

An adapter starts one node and speaks to it the way its people would. Whatever the protocol
itself can do is done by the suite's peer, by URL.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol


class Ability(StrEnum):
    """What a case needs of the node. An adapter names those its node has not, and why."""

    INVITE = "invite"  # make an invitation: the suite's peer takes it
    ACCEPT = "accept"  # take an invitation of the suite's peer
    CONTRACT = "contract"  # take offered work
    PEOPLE = "people"  # people decide each step; without it the node works by itself
    HAND_OFF = "hand_off"  # offer tickets of its own
    FILES = "files"  # give and fetch files
    READ = "read"  # serve logs and receipts
    FULL = "full"  # know every message type and check it against its schema
    STRICT = "strict"  # refuse everything bytes.md tells a reader to refuse
    RESTART = "restart"  # be stopped and started on what it stored
    RESTORE = "restore"  # be put back to an older copy of what it stored
    CHAIN = "chain"  # hand on what it was handed
    EVIDENCE = "evidence"  # export a bundle
    POLL = "poll"  # serve a peer that it cannot call


class Implementation(Protocol):
    """One node under test. `handoff` is the id in the envelopes; it names work on both sides."""

    name: str
    cannot: dict[Ability, str]  # with the reason, which is printed

    async def start(self) -> None:
        """Start a fresh node."""

    async def stop(self) -> None:
        """Stop it for good."""

    async def invite(self, peer: str) -> str:
        """An invitation code for a company of this name."""

    async def accept(self, code: str) -> None:
        """Take an invitation, without waiting for people; raises where it is refused."""

    async def hand_off(self, link: str, title: str, **details: Any) -> str:
        """Offer a new ticket over this link; the hand-off's id."""

    async def hand_on(self, handoff: str, link: str) -> str:
        """Offer the ticket that came by `handoff` over another link; the new hand-off's id."""

    async def act(self, handoff: str, step: str) -> None:
        """People take this step (`accept`, `hand_back`, `cancel` …), with any words."""

    async def state(self, handoff: str) -> str:
        """Where the hand-off stands, or an empty text where there is none."""

    async def ticket(self, handoff: str) -> dict[str, Any]:
        """The ticket of the hand-off: `title`, `comments` (texts), `files` (name → state)."""

    async def comment(self, handoff: str, body: str, *, public: bool) -> None:
        """People write a comment on the ticket of the hand-off."""

    async def attach(self, handoff: str, name: str, content: bytes) -> None:
        """People put a file on the ticket, for everybody who shares it."""

    async def restart(self) -> None:
        """End the process, and start it again on what it stored."""

    async def snapshot(self) -> None:
        """Keep a copy of what is stored now; the node goes on."""

    async def restore(self) -> None:
        """Start again on that copy: what came later is lost. Keys stay."""

    async def bundle(self, handoff: str) -> bytes:
        """The evidence of one hand-off."""
