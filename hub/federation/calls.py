"""Our side of the door: signed calls to one peer, and its signed answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hub.actions import keyring, peers
from hub.actions.context import Hub
from hub.errors import HubError, Refused, Unavailable, Untrusted
from hub.federation.client import Answer, PeerTransport, StreamedAnswer
from hub.federation.door import JSON
from hub.protocol import http_signatures, strict_json
from hub.protocol.http_signatures import FindKey, HttpRequest, HttpResponse
from hub.protocol.keys import PrivateKey, PublicKey
from hub.protocol.problems import STATUS


@dataclass(frozen=True, slots=True)
class Said:
    """What a peer answered, proven to be its own answer to this very call."""

    status: int
    members: dict[str, Any]
    retry_after: timedelta | None = None

    @property
    def problem(self) -> HubError | None:
        """The peer's refusal as an error of ours, or None where it did what we asked."""
        if self.status < 300:
            return None
        said = self.members.get("code")
        code = said if isinstance(said, str) and said in STATUS else "refused_by_peer"
        told = "The partner's node refused the call ({what})."
        if self.status in {429, 503} or self.status >= 500:
            return Unavailable(code, told, after=self.retry_after, what=code)
        return Refused(code, told, what=code)


async def call(
    hub: Hub,
    transport: PeerTransport,
    method: str,
    url: str,
    find_key: FindKey,
    members: dict[str, Any] | None = None,
    *,
    raw: bytes | None = None,
    media_type: str = JSON,
    timeout_s: float | None = None,
    learn: Callable[[dict[str, Any]], None] | None = None,
) -> Said:
    """Make a signed call and believe only a signed answer.

    `learn` is shown the answer before that: it may bring the key it is signed by, with a proof.

    Raises what the transport raises, and Unavailable(answer_unsigned) for an answer nobody we
    know has signed: proxies answer too, and their word changes nothing.
    """
    body = raw if raw is not None else strict_json.dump(members).encode() if members else b""
    headers = {"content-type": media_type} if body else {}
    request = HttpRequest(method, url, headers, body)
    signed = http_signatures.sign_request(request, _signer(hub, find_key), hub.now())
    answer = await transport.request(
        method,
        url,
        {**headers, **signed},
        body or None,
        max_bytes=hub.limits.peer_answer_bytes,
        timeout_s=timeout_s,
    )
    try:
        if learn is not None:
            learn(strict_json.parse(answer.body, max_bytes=hub.limits.peer_answer_bytes))
        http_signatures.verify_response(
            HttpResponse(answer.status, answer.headers, answer.body), request, find_key, hub.now()
        )
        said = strict_json.parse(answer.body, max_bytes=hub.limits.peer_answer_bytes)
    except Untrusted as error:
        raise _unsigned(answer, error) from error
    return Said(answer.status, said, _retry_after(answer))


@contextlib.asynccontextmanager
async def stream(
    hub: Hub,
    transport: PeerTransport,
    url: str,
    find_key: FindKey,
    headers: Mapping[str, str],
    max_bytes: int,
) -> AsyncIterator[StreamedAnswer]:
    """A signed GET whose body is read as it comes. The body proves itself by its digest.

    Raises the peer's signed refusal as an error of ours; Unavailable(answer_unsigned) where
    the refusal, or the beginning of the answer, is not the peer's own.
    """
    request = HttpRequest("GET", url, headers, b"")
    signed = http_signatures.sign_request(request, _signer(hub, find_key), hub.now())
    async with transport.stream(
        "GET", url, {**headers, **signed}, max_bytes=max_bytes, timeout_s=hub.limits.file_pull_s
    ) as answer:
        body = b""
        if answer.status >= 300:
            async for chunk in answer.chunks:
                body += chunk
                if len(body) > hub.limits.node_document_bytes:
                    break
        whole = Answer(answer.status, answer.headers, body)
        try:
            http_signatures.verify_response(
                HttpResponse(answer.status, answer.headers, body), request, find_key, hub.now()
            )
            if body:
                said = strict_json.parse(body, max_bytes=hub.limits.node_document_bytes)
        except Untrusted as error:
            raise _unsigned(whole, error) from error
        if body and (problem := Said(answer.status, said, _retry_after(whole)).problem):
            raise problem
        yield answer


@dataclass(frozen=True, slots=True)
class Pinned:
    """The http keys pinned for one peer, and the one of ours that it knows."""

    hub: Hub
    keys: peers.PeerKeys
    more: Mapping[str, PublicKey] = field(default_factory=dict)  # that proved themselves

    def __call__(self, kid: str) -> PublicKey | None:
        """The peer's key of this name, if it is in force."""
        return self.keys.http_key(kid, self.hub.now()) or self.more.get(kid)

    @property
    def signer(self) -> PrivateKey:
        """What our calls are signed with."""
        return keyring.http_key(self.hub, self.keys.told)


def pinned(hub: Hub, keys: peers.PeerKeys, more: Mapping[str, PublicKey] | None = None) -> Pinned:
    """For calls to a peer: it is asked with a key that it knows."""
    return Pinned(hub, keys, {} if more is None else more)


def _signer(hub: Hub, find_key: FindKey) -> PrivateKey:
    """To somebody who has nothing of ours pinned yet, or is just told, it is the newest."""
    return find_key.signer if isinstance(find_key, Pinned) else hub.keys.http


def _unsigned(answer: Answer, error: Untrusted) -> HubError:
    because = f"status {answer.status}, {error.code}: {error.because}"
    text = answer.body[:200].decode("utf-8", "replace")
    if error.code == "clock_skew":
        return Unavailable(
            "clock_skew", "The clocks of the two nodes differ too much.", because=because
        )
    return Unavailable(
        "answer_unsigned",
        "The address of the partner answered, but not its node ({status}).",
        because=f"{because} {text!r}",
        after=_retry_after(answer),
        status=answer.status,
        why=error.code,
    )


def signed_by_unknown_key(error: HubError) -> bool:
    """Whether an answer was refused because we know no such key of the peer."""
    return error.code == "answer_unsigned" and error.facts.get("why") == "key_unknown"


def _retry_after(answer: Answer) -> timedelta | None:
    text = answer.headers.get("retry-after", "")
    # Anybody on the way can write this header: a number no clock can hold must not break us.
    return timedelta(seconds=int(text[:9])) if text.isascii() and text.isdigit() else None
