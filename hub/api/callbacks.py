"""Calls to our own programs: one signed POST, and what came of it.

Signed as Standard Webhooks 1.0 says, so that any of its libraries verifies it: the id (the same
at every attempt), the moment of this attempt and the body are under the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, timedelta
from typing import Final, Protocol

from standardwebhooks.webhooks import Webhook

from hub.actions import webhooks
from hub.actions.context import Hub
from hub.actions.webhooks import Attempt, Heard
from hub.errors import HubError

TIMEOUT_S: Final = 20.0  # Standard Webhooks: 15 to 30 seconds
_MEDIA_TYPE: Final = "application/json"
_RETRY_AFTER_MAX: Final = 86_400


class Answered(Protocol):
    """An answer whose body is not read: nothing in it would change what we do."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class Outward(Protocol):
    """How requests leave this node, guarded against addresses that are nobody's business."""

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
    ) -> AbstractAsyncContextManager[Answered]:
        """The answer's status and headers. Raises Refused(address_forbidden), Unavailable."""
        ...


async def call(hub: Hub, outward: Outward, attempt: Attempt) -> None:
    """Make the call and note what came of it."""
    await webhooks.settle(hub, attempt, await _heard(hub, outward, attempt))


async def _heard(hub: Hub, outward: Outward, attempt: Attempt) -> Heard:
    now = hub.now().astimezone(UTC)
    body = attempt.call.body
    headers = {
        "content-type": _MEDIA_TYPE,
        "webhook-id": attempt.call.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(attempt.secret).sign(attempt.call.id, now, body),
    }
    try:
        async with outward.send(
            "POST", attempt.url, headers, body.encode(), timeout_s=TIMEOUT_S
        ) as answer:
            return Heard(answer.status, retry_after=_retry_after(answer.headers))
    except HubError as error:
        return Heard(None, error=error.code)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds only: a date would have to be believed of a clock we do not know."""
    text = headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_RETRY_AFTER_MAX))):
        return None
    return timedelta(seconds=int(text))
