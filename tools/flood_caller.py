"""Somebody who floods a node: as many calls of one kind as were asked for, over many connections.

`python -m tools.flood_caller KIND PORT LINK KEY RATE SECONDS` prints how many calls it made, and
what was answered, as one JSON line. It knows a real link and the id of a real key of it, so the
door cannot turn it away as a stranger, and has no key that signs.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hub.clock import SystemEntropy
from hub.protocol.http_signatures import HttpRequest, sign_request
from hub.protocol.keys import PrivateKey

CONNECTIONS: Final = 16
SLOW: Final = 200  # connections of a slow flood
ELSEWHERE: Final = "127.9.9.9"  # another network than the good partner's
KINDS: Final = (
    "strangers",
    "bad signatures",
    "big bodies",
    "slow bodies",
    "tiny chunks",
    "requests to be linked",
)


@dataclass(frozen=True, slots=True)
class _Pretender:
    """Signs with a key of its own under the name of another."""

    key: PrivateKey
    kid: str

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)


def request(kind: str, port: int, link: str, kid: str) -> bytes:
    """The bytes of one call."""
    path = f"/txp/v1/links/{link}/messages"
    body = b'{"messages":[]}'
    if kind == "strangers":
        path = f"/txp/v1/links/lnk_{'0' * 32}/messages"
    elif kind == "requests to be linked":
        path, body = "/txp/v1/link-requests", b'{"request":"x"}'
    elif kind == "big bodies":
        body = b'{"messages":[' + b" " * (1024 * 1024 - 16) + b"]}"
    url = f"http://127.0.0.1:{port}{path}"
    pretender = _Pretender(PrivateKey.generate(SystemEntropy()), kid)
    call = HttpRequest("POST", url, {"content-type": "application/json"}, body)
    headers = {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        **sign_request(call, pretender, datetime.now(UTC)),  # type: ignore[arg-type]  # pretends
    }
    if kind == "tiny chunks":
        headers["transfer-encoding"] = "chunked"
        body = b"1\r\n \r\n" * 50_000
    else:
        headers["content-length"] = str(len(body))
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n\r\n".encode() + body


class Flood:
    """Calls on a schedule of their own: a slow answer does not make the next one come later."""

    def __init__(self, kind: str, port: int, whole: bytes, rate: float, seconds: float) -> None:
        self._slow, self._port, self._whole = kind == "slow bodies", port, whole
        self._every = CONNECTIONS / rate
        self._until = time.monotonic() + seconds
        self.calls = 0
        self.answers: collections.Counter[str] = collections.Counter()

    async def run(self) -> None:
        """All connections at once, until the time is over."""
        count = SLOW if self._slow else CONNECTIONS
        one = self._drip if self._slow else self._call_on
        await asyncio.gather(*(one(n / count) for n in range(count)))

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, local_addr=(ELSEWHERE, 0))

    async def _call_on(self, part: float) -> None:
        due = time.monotonic() + part * self._every
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while (now := time.monotonic()) < self._until:
            if due > now:
                await asyncio.sleep(due - now)
            due = max(due + self._every, now - 1.0)
            try:
                if writer is None or reader is None or reader.at_eof():
                    reader, writer = await self._open()
                self.calls += 1
                writer.write(self._whole)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                self.answers[head.split(b" ")[1].decode()] += 1
                if b"onnection: close" in head:
                    writer.close()
                    writer = None
                else:
                    length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                    await reader.readexactly(int(length))
            except (OSError, EOFError, TimeoutError, IndexError):
                self.answers["hung up"] += 1
                if writer is not None:
                    writer.close()
                writer = None

    async def _drip(self, part: float) -> None:
        """A byte a second."""
        await asyncio.sleep(part)
        end = self._whole.index(b"\r\n\r\n") + 4
        while time.monotonic() < self._until:
            with contextlib.suppress(OSError):
                reader, writer = await self._open()
                self.calls += 1
                writer.write(self._whole[:end])
                for byte in self._whole[end : end + 10]:
                    if reader.at_eof() or time.monotonic() > self._until:
                        break
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1)
                writer.close()
            self.answers["hung up"] += 1
            await asyncio.sleep(0.2)


async def _main(kind: str, port: str, link: str, kid: str, rate: str, seconds: str) -> None:
    whole = request(kind, int(port), link, kid)
    flood = Flood(kind, int(port), whole, float(rate), float(seconds))
    await flood.run()
    print(json.dumps({"calls": flood.calls, "answers": dict(flood.answers)}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
