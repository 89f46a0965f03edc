"""Our keys, and what partners know of them, as people see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.actions import keyring, peer_keys
from hub.actions.context import Hub
from hub.storage import links
from hub.storage.database import Connection
from hub.storage.links import LinkState


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of ours."""

    kid: str
    use: str  # identity | msg | http
    state: str  # current | earlier | overlap | revoked
    version: int  # of the key set that brought it; of an identity key its own
    until: datetime | None  # partners may believe it until then; null: by position, or for ever
    reason: str | None  # why it was revoked


@dataclass(frozen=True, slots=True)
class LinkLine:
    """What one partner knows of our keys, and how its own stand."""

    link: str
    peer: str
    knows: int  # the newest key set of ours that it is known to have
    call_due: bool  # it has to be told by a call before anything more is sent
    peer_version: int  # of the newest key set of the partner that we know
    contested: int | None  # first message in its name that it does not vouch for


async def everything(hub: Hub) -> tuple[list[KeyLine], list[LinkLine]]:
    """Every key, newest first, and every living link."""
    return await hub.db.read(lambda connection: _everything(connection, hub))


def _everything(connection: Connection, hub: Hub) -> tuple[list[KeyLine], list[LinkLine]]:
    lines = [*_identities(hub), *_signing(hub)]
    found = [
        LinkLine(
            link=link.id,
            peer=link.peer_name,
            knows=keyring.told_version(connection, link),
            call_due=link.keys_call,
            peer_version=link.peer_key_set_version,
            contested=peer_keys.contested_from(connection, link.id),
        )
        for link in links.in_states(connection, {LinkState.ACTIVE, LinkState.SUSPENDED})
    ]
    return lines, found


def _identities(hub: Hub) -> list[KeyLine]:
    keys = hub.keys
    made = [keys.founder or keys.identity]
    made += [one.identity for one in keys.generations if one.identity is not None]
    return [
        KeyLine(
            kid=key.kid,
            use="identity",
            state="current" if key.kid == keys.identity.kid else "earlier",
            version=number,
            until=None,
            reason=None,
        )
        for number, key in reversed(list(enumerate(made, 1)))
    ]


def _signing(hub: Hub) -> list[KeyLine]:
    opened, now = hub.ring.opened, hub.now()
    newest = opened.key_set
    reasons = {one.kid: one.reason for one in newest.revoked}
    ends = {entry.kid: entry.not_after for entry in newest.keys}
    lines: dict[str, KeyLine] = {}
    for version, key_set in sorted(opened.sets.items()):
        for entry in key_set.keys:
            if entry.kid in lines:
                continue
            until = ends.get(entry.kid)
            if entry.kid in reasons:
                state = "revoked"
            elif entry.kid in {opened.keys.message.kid, opened.keys.http.kid}:
                state = "current"
            elif until is not None and until > now:
                state = "overlap"
            else:
                state = "earlier"
            lines[entry.kid] = KeyLine(
                kid=entry.kid,
                use=entry.use.value,
                state=state,
                version=version,
                until=until if entry.use.value == "http" else None,
                reason=reasons.get(entry.kid),
            )
    return list(reversed(lines.values()))
