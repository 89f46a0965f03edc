"""The same request twice: the second gets the answer of the first, and nothing happens again.

A program whose line broke cannot know whether its request was carried out. With a key of its
own choosing it asks again, as often as it likes. The answer is kept in the very transaction of
the effect: after a crash both are there or neither is. A request that was refused changed
nothing and is not kept: corrected, it may come under the same key.

Keys are told apart by agent. Answers are kept encrypted (one of them is an invitation code,
which is otherwise stored nowhere) and forgotten after `timers.ANSWERS_KEPT`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError

from hub.actions.context import Hub
from hub.errors import Refused
from hub.faults import fault
from hub.storage import agents
from hub.storage.database import Connection, Database, Tx

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keyed:
    """What names a request that may be repeated."""

    agent_id: str
    key: str
    fingerprint: str  # SHA-256, hex, of everything it asks for


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered."""

    status: int
    body: str
    repeated: bool = False


class _Twin(Exception):  # noqa: N818 - ends a transaction; never leaves this module
    """The same request was carried out by somebody else a moment ago."""


async def kept(hub: Hub, request: Keyed) -> Answer | None:
    """What this request was answered, None where it was not carried out yet.

    Raises Refused(idempotency_key_reused) where the key came with another request.
    """
    return await hub.db.read(lambda connection: _kept(connection, hub, request))


def _kept(connection: Connection, hub: Hub, request: Keyed) -> Answer | None:
    found = agents.kept_answer(connection, request.agent_id, request.key)
    if found is None:
        return None
    if found.request_hash != request.fingerprint:
        raise Refused(
            "idempotency_key_reused",
            "This idempotency key was used for another request.",
            hint="Take a fresh key for every new request.",
        )
    assert found.status is not None and found.answer is not None  # noqa: PT018 - kept whole
    return Answer(found.status, hub.reveal(found.answer).decode(), repeated=True)


async def once(
    hub: Hub,
    request: Keyed,
    effect: Callable[[Hub], Awaitable[R]],
    answer: Callable[[Connection, R], Answer],
) -> Answer:
    """Carry out an action of one transaction, unless it was; its answer, from then or now.

    `effect` must be one write, like every action. Raises what the action raises, and
    Refused(idempotency_key_reused).
    """
    keeping = _Keeping(hub, request, answer)
    try:
        await effect(replace(hub, db=keeping))
    except (_Twin, IntegrityError):
        # PostgreSQL runs twins side by side; the second to commit is undone whole by the key.
        found = await kept(hub, request)
        if found is None:
            raise
        return found
    assert keeping.answer is not None
    fault("answer.before_given")
    return keeping.answer


async def keep(hub: Hub, request: Keyed, answer: Answer) -> None:
    """Keep the answer of something that cannot be one transaction, after it was done.

    A crash before this line forgets the answer; the effect must bear repetition by itself.
    """

    def transaction(tx: Tx) -> None:
        if _kept(tx.connection, hub, request) is None:
            _keep(tx, hub, request, answer)

    await hub.db.write(transaction)


def _keep(tx: Tx, hub: Hub, request: Keyed, answer: Answer) -> None:
    agents.keep_answer(
        tx,
        request.agent_id,
        request.key,
        request_hash=request.fingerprint,
        status=answer.status,
        answer=hub.hide(answer.body.encode()),
        at=hub.now(),
    )


class _Keeping:
    """The database of one action, which keeps the action's answer along with its effect."""

    def __init__(
        self, hub: Hub, request: Keyed, answer: Callable[[Connection, Any], Answer]
    ) -> None:
        self._hub = hub
        self._db: Database = hub.db
        self._request = request
        self._answer = answer
        self._written = False
        self.answer: Answer | None = None

    async def read(self, body: Callable[[Connection], T]) -> T:
        return await self._db.read(body)

    async def glance(self, body: Callable[[Connection], T]) -> T:
        return await self._db.glance(body)

    async def write(self, body: Callable[[Tx], T]) -> T:
        assert not self._written, "an action that may be repeated is one transaction"
        self._written = True

        def transaction(tx: Tx) -> T:
            if _kept(tx.connection, self._hub, self._request) is not None:
                raise _Twin
            result = body(tx)
            self.answer = self._answer(tx.connection, result)
            _keep(tx, self._hub, self._request, self.answer)
            fault("answer.kept")
            return result

        return await self._db.write(transaction)

    def changes(self) -> AsyncIterator[set[str]]:
        return self._db.changes()

    async def close(self) -> None:
        await self._db.close()
