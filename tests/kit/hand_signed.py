"""Calls signed with any coverage and any parameters: what a forger's library lets it do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import http_sf
from http_message_signatures import ContentDigest

from hub.protocol.http_signatures import HttpRequest
from hub.protocol.keys import Signer


def signed_by_hand(
    request: HttpRequest,
    covered: tuple[str, ...],
    signer: Signer,
    at: datetime,
    *,
    label: str = "txp",
    **params: Any,
) -> HttpRequest:
    """A correctly signed request with this coverage; a parameter that is None is left out."""
    created = int(at.timestamp())
    given: dict[str, Any] = {
        "created": created,
        "expires": created + 300,
        "keyid": signer.kid,
        "tag": "txp-1",
    }
    given |= params
    headers = dict(request.headers)
    if request.body:
        headers["content-digest"] = ContentDigest.create(request.body)
    names = [http_sf.parse(name.encode(), tltype="item") for name in covered]
    values = {k: v for k, v in given.items() if v is not None}
    inner = http_sf.ser({label: (names, values)}).partition("=")[2]
    lines = [f"{name}: {_value(name, request, headers)}" for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {inner}'])
    signature = http_sf.ser({label: (signer.sign(base.encode()), {})})
    headers |= {"signature-input": f"{label}={inner}", "signature": signature}
    return replace(request, headers=headers)


def _value(name: str, request: HttpRequest, headers: dict[str, str]) -> str:
    digest = headers.get("content-digest", "")
    return {
        '"@method"': request.method,
        '"@target-uri"': request.url,
        '"@path"': "/" + request.url.split("/", 3)[3].partition("?")[0],
        '"@authority"': request.url.split("/")[2],
        '"content-digest";key="sha-256"': digest.partition("=")[2],
        '"content-digest";sf': digest,
    }.get(name) or headers[name.strip('"')]
