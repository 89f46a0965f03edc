"""HTTP Message Signatures (RFC 9421), profile `txp-1`: who may make this very call, just now.

The signature covers method, target and, with a body, its type and digest; a response also
covers the request it answers. What the library leaves to its caller is demanded here: exactly
one signature of our profile, the full list of components, a short life, and a digest that fits
the bytes that really came.

`url` is always the configured public base plus the path: never what a Host or forwarding
header says. Header names are in lower case; a header sent twice is one value joined by ", ".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import http_sf
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
)

from hub.errors import HubError, Untrusted
from hub.protocol.keys import PublicKey, Signer

TAG: Final = "txp-1"
LIFETIME: Final = timedelta(seconds=300)  # created to expires
CLOCK_SKEW: Final = timedelta(seconds=300)  # how far two nodes' clocks may differ

_LABEL: Final = "txp"
_REQUEST: Final = ('"@method"', '"@target-uri"')
_BODY: Final = ('"content-type"', '"content-digest"')
_RESPONSE: Final = ('"@status"', '"@method";req', '"@target-uri";req')

FindKey = Callable[[str], PublicKey | None]
"""The key of one known peer by its thumbprint, None for anybody else's."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as far as signatures care."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response as far as signatures care."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def sign_request(request: HttpRequest, signer: Signer, now: datetime) -> dict[str, str]:
    """The headers to add. A request with a body must have a `content-type` already."""
    headers = _with_digest(request.headers, request.body)
    message = _Request(request.method, request.url, headers)
    return _sign(message, _REQUEST + (_BODY if request.body else ()), signer, now)


def verify_request(request: HttpRequest, find_key: FindKey, now: datetime) -> str:
    """The thumbprint of the key that signed this request and its very body.

    Raises `Untrusted`: `clock_skew`, `key_unknown`, `digest_mismatch`, or
    `signature_invalid` for everything else; what `find_key` raises passes through.
    """
    message = _Request(request.method, request.url, request.headers)
    return _verify(message, _REQUEST + (_BODY if request.body else ()), request.body, find_key, now)


def sign_response(
    response: HttpResponse, request: HttpRequest, signer: Signer, now: datetime
) -> dict[str, str]:
    """The headers to add. A response with a body must have a `content-type` already."""
    headers = _with_digest(response.headers, response.body)
    message = _Response(response.status, headers, _target(request))
    return _sign(message, _RESPONSE + (_BODY if response.body else ()), signer, now)


def verify_response(
    response: HttpResponse, request: HttpRequest, find_key: FindKey, now: datetime
) -> str:
    """The thumbprint of the key that gave this answer to this request.

    Raises like `verify_request`.
    """
    message = _Response(response.status, response.headers, _target(request))
    return _verify(
        message, _RESPONSE + (_BODY if response.body else ()), response.body, find_key, now
    )


@dataclass(frozen=True, slots=True)
class _Request:
    """The shape in which the library wants a request."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Response:
    """The shape in which the library wants a response."""

    status_code: int
    headers: Mapping[str, str]
    request: _Request


def _target(request: HttpRequest) -> _Request:
    return _Request(request.method, request.url, {})


class _Ed25519(HTTPSignatureAlgorithm):
    """The library's algorithm with our keys, verified by libsodium like everything else."""

    algorithm_id = "ed25519"

    def __init__(
        self,
        public_key: PublicKey | None = None,
        private_key: object = None,  # noqa: ARG002 - the library's signature
    ) -> None:
        if public_key is None:
            raise TypeError("verifying needs a public key")
        self._public = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        self._public.verify(signature, message)


class _Keys(HTTPSignatureKeyResolver):
    """Our keys in the library's terms. `unknown` remembers a name nobody answered to."""

    def __init__(self, find: FindKey) -> None:
        self._find = find
        self.unknown: str | None = None

    def resolve_public_key(self, key_id: str) -> PublicKey | None:
        key = self._find(key_id)
        if key is None or key.kid != key_id:
            self.unknown = key_id
            return None
        return key


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, told the time instead of reading it."""

    def __init__(self, keys: _Keys, now: datetime) -> None:
        super().__init__(signature_algorithm=_Ed25519, key_resolver=keys)
        self._now = now.timestamp()

    def validate_created_and_expires(
        self,
        sig_input: Any,
        max_age: timedelta | None = None,  # noqa: ARG002 - LIFETIME is the rule here
    ) -> None:
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires")
        if type(created) is not int or type(expires) is not int:
            raise _invalid("created or expires missing")
        if not 0 < expires - created <= LIFETIME.total_seconds():
            raise _invalid("lives too long")
        skew = CLOCK_SKEW.total_seconds()
        if abs(self._now - created) > skew or self._now > expires:
            raise Untrusted(
                "clock_skew",
                "The clocks of the two hubs differ too much, or the call is too old.",
                hint="Check the time on both machines.",
                because=f"created {created}, expires {expires}, our time {self._now:.0f}",
            )


def _with_digest(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    made = {name: value for name, value in headers.items() if name != "content-digest"}
    if body:
        made["content-digest"] = ContentDigest.create(body)
    return made


def _sign(
    message: _Request | _Response, components: tuple[str, ...], signer: Signer, now: datetime
) -> dict[str, str]:
    prepared = HTTPMessageSigner(signature_algorithm=_Ed25519).prepare(
        message,
        key_id=signer.kid,
        created=now,
        expires=now + LIFETIME,
        label=_LABEL,
        tag=TAG,
        include_alg=False,  # the pinned key says what it is for
        covered_component_ids=components,
        use_existing_digest="content-digest" in message.headers,
    )
    # The library's apply() would resolve everything again, for signers that take minutes.
    made = {
        "signature-input": f"{prepared.label}={prepared.signature_params}",
        "signature": http_sf.ser({prepared.label: (signer.sign(prepared.signature_base), {})}),
    }
    if "content-digest" in message.headers:
        made["content-digest"] = message.headers["content-digest"]
    return made


def _verify(
    message: _Request | _Response,
    components: tuple[str, ...],
    body: bytes,
    find_key: FindKey,
    now: datetime,
) -> str:
    keys = _Keys(find_key)
    try:
        found = _Verifier(keys, now).verify(message, max_age=None, expect_tag=TAG)
    except HTTPMessageSignaturesException as error:
        if keys.unknown is not None:
            raise Untrusted(
                "key_unknown",
                "The call is signed by an unknown key.",
                because=keys.unknown[:100],
            ) from error
        if isinstance(error.__cause__, HubError):  # what find_key or the key itself said
            raise error.__cause__ from None
        raise _invalid(str(error)) from error
    if len(found) != 1:
        raise _invalid("more than one signature of our profile")
    # Without this the library is content with whatever the signer chose to cover. Compared as
    # serialised, so "content-digest";key="sha-256" or "@method";x do not pass for the plain ones.
    missing = [name for name in components if name not in found[0].covered_components]
    if missing:
        raise _invalid(f"not covered: {', '.join(missing)}")
    _check_digest(message.headers, body)
    return str(found[0].parameters["keyid"])


def _check_digest(headers: Mapping[str, str], body: bytes) -> None:
    """Compare the digest with the bytes that came. A body always has a covered digest here."""
    stated = headers.get("content-digest")
    if stated is None and not body:
        return
    try:
        ContentDigest.verify(stated or "", body)
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise Untrusted(
            "digest_mismatch", "The body is not the one that was signed.", because=str(error)[:200]
        ) from error


def _invalid(because: str) -> Untrusted:
    return Untrusted(
        "signature_invalid", "The call is not signed as it must be.", because=because[:200]
    )
