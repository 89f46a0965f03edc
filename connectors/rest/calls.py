"""One request as a description says it, and what its answer means.

Every answer becomes parsed JSON or one of the contract's errors; nothing is repeated here except
a request the desk turned away because our token was spent, which it therefore did not do. Secrets
are in no error and no log: addresses are kept without their query.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from connectors.contract import (
    Answer,
    File,
    Gone,
    Host,
    Misconfigured,
    Part,
    Refused,
    Request,
    Unavailable,
)
from connectors.rest import sandbox, values
from connectors.rest.access import Access, Proof, Secrets
from connectors.rest.description import Description, Download, Step

ANSWER_MAX: Final = 32 * 1024 * 1024
PAGES_MAX: Final = 10_000
_WAIT_MAX: Final = timedelta(hours=6)
_GONE: Final = "It is not there any more on the desk"
_BAD_ADDRESS: Final = "The desk names an address that is not its own"


class Caller:
    """Speaks with one desk."""

    def __init__(self, description: Description, host: Host) -> None:
        self.description, self.host = description, host
        self.secrets = Secrets(description, host)
        self.requests = 0
        self.desk_now: datetime | None = None  # by the last answer
        self._access = Access(description, host, self.secrets, self._plain, self._unproved)
        scope = {"settings": dict(host.settings)}
        self.base = sandbox.text(description.base).value(scope).rstrip("/")
        also = (sandbox.text(one).value(scope) for one in description.also)
        self._origins = {_origin(one) for one in (self.base, *also) if one}

    # ------------------------------------------------------------ steps

    async def run(
        self, steps: Sequence[Step], scope: Mapping[str, Any], file: File | None = None
    ) -> dict[str, Any]:
        """All steps in order; the scope with everything they kept.

        Raises:
            NoValue: a body cannot be worked out; nothing of that step was sent.
        """
        kept = dict(scope)
        for step in steps:
            if step.each is None:
                if step.when is None or sandbox.expression(step.when).value(kept):
                    kept.update(await self.step(step, kept, file))
                continue
            gathered: dict[str, list[Any]] = {name: [] for name in step.save}
            if step.into:
                gathered[step.into] = []
            for entry in sandbox.expression(step.each).value(kept) or ():
                within = {**kept, "entry": entry}
                if step.when and not sandbox.expression(step.when).value(within):
                    continue
                found = await self.step(step, within, file)
                for name, list_ in gathered.items():
                    one = found.get(name)
                    list_.extend(one if isinstance(one, list) else [one])
            kept.update(gathered)
        return kept

    async def step(
        self, step: Step, scope: Mapping[str, Any], file: File | None = None
    ) -> dict[str, Any]:
        """One step; what it keeps."""
        if step.need and not sandbox.expression(step.need).value(scope):
            raise Refused("not_allowed_now", step.need_told)
        if step.into:
            items: list[Any] = []
            async for page in self.pages(step, scope):
                items += page
            return {step.into: items}
        answer, headers = await self.ask(step, scope, file)
        within = {**scope, "answer": answer, "header": headers}
        return {name: values.pick(value, within) for name, value in step.save.items()}

    async def pages(self, step: Step, scope: Mapping[str, Any]) -> AsyncIterator[list[Any]]:
        """A list, page by page, as the desk divides it."""
        paging = step.paging
        place: int | str | None = paging.first if paging.kind in ("offset", "page") else None
        for _ in range(PAGES_MAX):
            query: dict[str, str] = {}
            if paging.size_param:
                query[paging.size_param] = str(paging.size)
            if paging.kind in ("offset", "page") or (paging.kind == "cursor" and place):
                query[paging.param] = str(place)
            url = str(place) if paging.kind == "link" and place else None
            answer, headers = await self.ask(step, scope, None, query, url)
            items = self._listed(values.follow(step.items or "", answer))
            yield items
            within = {**scope, "answer": answer, "header": headers}
            if paging.kind == "none" or (
                paging.end and sandbox.expression(paging.end).value(within)
            ):
                return
            if isinstance(place, int):
                if not items or (paging.end is None and len(items) < paging.size):
                    return
                place += len(items) if paging.kind == "offset" else 1
            else:
                following = (
                    _link(headers) if paging.next is None else values.pick(paging.next, within)
                )
                if not following or following == place:
                    return
                place = str(following)
        raise Unavailable("endless_list", "The desk's list does not end")

    def _listed(self, items: Any) -> list[Any]:
        if items is None:
            return []
        if not isinstance(items, list):
            raise Unavailable("not_a_list", "The desk's answer is not understood: no list")
        return items

    # ------------------------------------------------------------ one request

    async def ask(
        self,
        step: Step,
        scope: Mapping[str, Any],
        file: File | None = None,
        query: Mapping[str, str] | None = None,
        url: str | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """The parsed answer and its headers.

        Raises:
            Gone, Refused, Unavailable, Misconfigured: as the desk's answer means.
        """
        for last in (False, True):
            proof = await self._access.proof()
            request = await self._request(step, scope, proof, file, query or {}, url)
            answer = await self._send(request)
            parsed = self._parsed(answer, strict=answer.status < 300)
            if self._access.renewable and not last and self._access.expired(answer.status, parsed):
                self._access.spent()
                continue
            self._judge(step, answer, parsed, request)
            if request.method == "GET" and not answer.body.strip():
                # Nothing is not an empty thing: a proxy's answer, or a desk about to fall.
                raise Unavailable("not_understood", "The desk's answer is not understood: empty",
                                  because=f"GET {request.safe}: {answer.status}")  # fmt: skip
            return parsed, answer.headers
        raise AssertionError("unreachable")

    async def _plain(self, request: Request) -> tuple[int, Any]:
        self._own(request.url)
        answer = await self._send(request)
        because = f"{request.method} {request.safe}: {answer.status}"
        self._waits(answer, because)
        return answer.status, self._parsed(answer, strict=answer.status < 300)

    async def _unproved(self, step: Step, scope: Mapping[str, Any]) -> Any:
        request = await self._request(step, scope, Proof(), None, {}, None)
        answer = await self._send(request)
        parsed = self._parsed(answer, strict=answer.status < 300)
        self._judge(step, answer, parsed, request)
        return parsed

    async def _send(self, request: Request) -> Answer:
        self.requests += 1
        answer = await self.host.transport.send(request, max_bytes=ANSWER_MAX)
        self.desk_now = _date(answer.headers.get("date"))
        return answer

    async def opening(self, shape: Download, scope: Mapping[str, Any]) -> Request:
        """The request for a file's bytes, which somebody else will send."""
        proof = await self._access.proof()
        url = self.absolute(sandbox.text(shape.get).value(scope))
        headers = {**self.description.headers, **shape.headers}
        said = {name: sandbox.text(words).value(scope) for name, words in headers.items()}
        query = {**values.render(shape.query, scope), **proof.query}
        safe = self.secrets.scrub(_safe(url))
        return Request("GET", _with(url, query), {**said, **proof.headers}, safe=safe)

    def absolute(self, ref: str) -> str:
        """An address of the desk's, whole. Raises Misconfigured for one that is not its own."""
        url = urljoin(self.base + "/", ref) if "://" in ref else self.base + "/" + ref.lstrip("/")
        self._own(url)
        return url

    def _own(self, url: str) -> None:
        if _origin(url) not in self._origins:
            raise Misconfigured("foreign_address", _BAD_ADDRESS, because=_safe(url))

    async def _request(
        self,
        step: Step,
        scope: Mapping[str, Any],
        proof: Proof,
        file: File | None,
        query: Mapping[str, str],
        url: str | None,
    ) -> Request:
        method, source = next((one, path) for one, path in step.requests().items() if path)
        whole = source.startswith("{{") and source.count("{{") == 1 and source.endswith("}}")
        place = (sandbox.text if whole else sandbox.address)(source).value(scope)
        address = self.absolute(url or place)
        if url is None:
            said = values.render(step.query, scope)
            address = _with(address, {**said, **query})
        headers = {"Accept": "application/json"}
        for name, words in {**self.description.headers, **step.headers}.items():
            headers[name] = sandbox.text(words).value(scope)
        body = await self._body(step, scope, proof, file, headers)
        return Request(
            method,
            _with(address, proof.query),
            {**headers, **proof.headers},
            body,
            safe=self.secrets.scrub(_safe(address)),
        )

    async def _body(
        self,
        step: Step,
        scope: Mapping[str, Any],
        proof: Proof,
        file: File | None,
        headers: dict[str, str],
    ) -> bytes | File | list[Part] | None:
        if step.raw:
            return file
        if step.multipart is not None:
            said = values.render(step.multipart, scope)
            return [
                Part(
                    name,
                    file if value == values.FILE and file else _plain(value),
                    "application/json" if isinstance(value, dict) else "",
                )
                for name, value in said.items()
            ]
        if step.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return urlencode(_flat(values.render(step.form, scope))).encode()
        if step.json_ is None and not proof.body:
            return None
        made = values.render(step.json_, scope) if step.json_ is not None else {}
        if file is not None:
            made = await _with_file(made, file)
        if proof.body:
            made = {**proof.body, **made}
        headers.setdefault("Content-Type", "application/json")
        return json.dumps(made, ensure_ascii=False).encode()

    # ------------------------------------------------------------ what an answer means

    def _parsed(self, answer: Answer, *, strict: bool) -> Any:
        if not answer.body.strip():
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            kind = answer.headers.get("content-type", "json")
            # A page for people is a proxy's, a sign-in's or a notice: no answer of a desk.
            page = "html" in kind or answer.body.lstrip()[:1] == b"<"
            if strict and ("json" in kind or page):
                raise Unavailable(
                    "not_understood", "The desk's answer is not understood: not JSON"
                ) from None
            return answer.body[:2000].decode("utf-8", "replace")

    def _judge(self, step: Step, answer: Answer, parsed: Any, request: Request) -> None:
        status = answer.status
        because = f"{request.method} {request.safe}: {status}"
        self._waits(answer, because)
        good = status in step.ok if step.ok else 200 <= status < 300
        if good:
            rule = step.refused_if or self.description.refused_if
            scope = {"answer": parsed, "header": answer.headers, "status": status}
            if step.gone_if and sandbox.expression(step.gone_if).value(scope):
                raise Gone("gone", _GONE, because=because)
            if rule and sandbox.expression(rule).value(scope):
                raise self._refusal(parsed, because)
            return
        if status in step.gone:
            raise Gone("gone", _GONE, because=because)
        if status in (409, 412):
            raise Unavailable(
                "changed_meanwhile", "Somebody changed it on the desk meanwhile", because=because
            )
        if status == 401:
            raise Misconfigured(
                "not_let_in", "The desk does not accept the user or key", because=because
            )
        if 300 <= status < 400:
            raise Misconfigured(
                "moved", "The desk sends us to another address: correct it here", because=because
            )
        raise self._refusal(parsed, because)

    def _waits(self, answer: Answer, because: str) -> None:
        """Raise where asking later may help."""
        if answer.status in self.description.limits.statuses:
            raise Unavailable(
                "slow_down",
                "The desk asks to wait",
                because=because,
                after=self._after(answer.headers),
            )
        if answer.status == 408 or answer.status >= 500:
            raise Unavailable("desk_trouble", "The desk has trouble of its own", because=because)

    def _refusal(self, parsed: Any, because: str) -> Refused:
        words = parsed if isinstance(parsed, str) else json.dumps(parsed, ensure_ascii=False)
        reason = self.secrets.scrub(words)[:300]
        return Refused("desk_refused", "The desk refuses: {reason}", because=because, reason=reason)

    def _after(self, headers: Mapping[str, str]) -> timedelta:
        limits = self.description.limits
        said = headers.get(limits.after.lower(), "").strip()
        wait = timedelta(seconds=limits.default_s)
        if said.isdigit():
            wait = timedelta(seconds=int(said[:6]))
        elif at := _date(said):
            wait = at - (_date(headers.get("date")) or self.host.clock.now())
        return min(max(wait, timedelta(seconds=1)), _WAIT_MAX)


def _date(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def _safe(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))


def _with(url: str, query: Mapping[str, Any]) -> str:
    flat = _flat(query)
    if not flat:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(flat)}"


def _flat(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, _plain(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _link(headers: Mapping[str, str]) -> str | None:
    """The next page by RFC 8288."""
    for part in headers.get("link", "").split(","):
        address, _, rest = part.strip().partition(">")
        if address.startswith("<") and 'rel="next"' in rest.replace("rel=next", 'rel="next"'):
            return address[1:]
    return None


async def _with_file(body: Any, file: File) -> Any:
    """The body with the file's bytes as text where they belong."""
    if isinstance(body, dict):
        return {key: await _with_file(inner, file) for key, inner in body.items()}
    if isinstance(body, list):
        return [await _with_file(inner, file) for inner in body]
    if body == values.FILE_BASE64:
        return base64.b64encode(b"".join([piece async for piece in file.open()])).decode()
    return body
