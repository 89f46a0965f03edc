"""Whoever is told no although we know who it is: on record, with what was tried.

Strangers are counted by the hour (`suspicions`): there is nobody to name. Somebody we know is
named; the same again is recorded only after a while, so a program that goes on asking fills no
disk. A process remembers for itself what it has recorded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.actions.context import Actor, Hub
from hub.errors import HubError
from hub.storage import audit
from hub.storage.agents import ApiToken

_CODES: Final = frozenset({"not_your_team", "not_yours", "scope_missing"})
"""Refusals for who somebody is, not for what it asks for."""

_AGAIN: Final = timedelta(hours=1)
_TOKEN_AGAIN: Final = timedelta(days=1)


async def record(hub: Hub, actor: Actor, error: HubError, *, door: str, what: str) -> None:
    """Write down that this actor may not do that; nothing where the refusal has another reason."""
    if error.code in _CODES and _is_news(hub, (actor.ref, error.code, what), _AGAIN):
        await _append(hub, actor.ref, "access.denied", door=door, what=what, code=error.code)


async def record_token(hub: Hub, token: ApiToken, why: str) -> None:
    """Somebody tried a token that opens nothing any more: it is known whose it was."""
    if _is_news(hub, (token.id, why), _TOKEN_AGAIN):
        await _append(hub, token.agent_id, "token.denied", token=token.id, why=why)


def _is_news(hub: Hub, key: tuple[str, ...], after: timedelta) -> bool:
    now = hub.now()
    before = hub.denied.get(key)
    if before is not None and now - before < after:
        return False
    hub.denied[key] = now
    return True


async def _append(hub: Hub, actor: str, event: str, **facts: str) -> None:
    await hub.db.write(lambda tx: audit.append(tx, at=hub.now(), actor=actor, event=event, **facts))
