"""Files come in streamed, with a cap, and go out so that no browser runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import FormData

from tests.api.conftest import NAMES, Desk, Network, Pair
from tests.kit.program import Answered, Program, program

ACT = "Акт выполненных работ\n".encode() * 500


async def put(
    ours: Program,
    ticket: Any,
    name: str,
    data: Any,
    media_type: str = "text/plain",
    query: str = "",
) -> Answered:
    return await ours.call(
        "POST",
        f"/tickets/{ticket['id']}/files",
        data=data,
        query=f"?name={quote(name, safe='')}{query}",
        headers={"Content-Type": media_type},
    )


async def test_a_file_comes_back_byte_for_byte(desk: Desk) -> None:
    ticket = await desk.ticket()
    said = await put(desk.ours, ticket, "акт №7.txt", ACT)
    assert said.status == 201
    (file,) = said.said["items"]
    assert (file["name"], file["size"], file["sha256"], file["visibility"], file["state"]) == (
        "акт №7.txt",
        len(ACT),
        sha256(ACT).hexdigest(),
        "public",
        "available",
    )
    for name in (file["id"], quote("акт №7.txt")):
        got = await desk.ours.call("GET", f"/tickets/{ticket['number']}/files/{name}")
        assert (got.status, got.raw) == (200, ACT)
        assert got.headers["Content-Type"] == "text/plain"
        assert got.headers["Content-Disposition"] == (
            "attachment; filename=\"___ _7.txt\"; filename*=UTF-8''" + quote("акт №7.txt")
        )
        assert "sandbox" in got.headers["Content-Security-Policy"]
        assert got.headers["Repr-Digest"].startswith("sha-256=:")


async def test_a_part_of_a_file(desk: Desk) -> None:
    ticket = await desk.ticket()
    (file,) = (await put(desk.ours, ticket, "a.bin", b"0123456789")).said["items"]
    path = f"/tickets/{ticket['id']}/files/{file['id']}"
    for asked, status, got, where in [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
    ]:
        said = await desk.ours.call("GET", path, headers={"Range": asked})
        assert (said.status, said.raw, said.headers["Content-Range"]) == (status, got, where)
    for asked in ("bytes=10-", "bytes=99-100", "bytes=4-2", "lines=1-2"):
        said = await desk.ours.call("GET", path, headers={"Range": asked})
        assert (said.status, said.code) == (416, "range_not_satisfiable"), asked
        assert said.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\cmd.exe", "cmd.exe"),
        ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie: x=1.txt"),
        ('"; filename="evil.html', '"; filename="evil.html'),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("..", "file"),
        ("\u0000.txt", ".txt"),
        ("ё" * 300, "ё" * 255),
        ("акт.html", "акт.html"),
    ],
)
async def test_a_hostile_name_does_no_harm(desk: Desk, name: str, kept: str) -> None:
    ticket = await desk.ticket()
    page = b"<script>alert(1)</script>"
    (file,) = (await put(desk.ours, ticket, name, page, "text/html")).said["items"]
    assert file["name"] == kept
    got = await desk.ours.call("GET", f"/tickets/{ticket['id']}/files/{file['id']}")
    assert got.raw == page
    how, plain, extended = got.headers["Content-Disposition"].split("; ", 2)
    assert (how, plain.count('"'), plain.isascii()) == ("attachment", 2, True)
    assert unquote(extended.removeprefix("filename*=UTF-8''")) == kept


@pytest.mark.parametrize(
    "media_type",
    ["text/html; charset=x", "nonsense", "text/plain, text/html", "a/b\tc", "x/" + "y" * 200],
)
async def test_a_media_type_is_one_or_unknown_bytes(desk: Desk, media_type: str) -> None:
    ticket = await desk.ticket()
    (file,) = (await put(desk.ours, ticket, "a", b"x", media_type)).said["items"]
    assert file["media_type"] in {"text/html", "application/octet-stream"}


async def test_several_files_in_parts(desk: Desk) -> None:
    ticket = await desk.ticket()
    form = FormData()
    form.add_field("visibility", "internal")
    form.add_field("file", ACT, filename="акт.txt", content_type="text/plain")
    form.add_field("file", b"\x89PNG", filename='фото "1".png', content_type="image/png")
    said = await desk.ours.call("POST", f"/tickets/{ticket['id']}/files", data=form)
    assert said.status == 201, said.raw
    assert [(one["name"], one["media_type"], one["visibility"]) for one in said.said["items"]] == [
        ("акт.txt", "text/plain", "internal"),
        ('фото "1".png', "image/png", "internal"),
    ]


async def test_a_comment_brings_its_files_along(pair: Pair) -> None:
    ticket, _ = await pair.offered()
    form = FormData()
    form.add_field("body", "Вот фото")
    form.add_field("visibility", "public")
    form.add_field("file", b"\x89PNG", filename="фото.png", content_type="image/png")
    said = await pair.ours.call("POST", f"/tickets/{ticket['id']}/comments", data=form)
    assert said.status == 201
    (file,) = said.said["attachments"]
    assert (file["name"], file["visibility"]) == ("фото.png", "public")
    await pair.network.run_until_idle()
    (child,) = (await pair.theirs.get("/tickets"))["items"]
    got = await pair.theirs.call("GET", f"/tickets/{child['id']}/files/{quote('фото.png')}")
    assert got.raw == b"\x89PNG"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"--x\r\n", 422),
        (b"no boundary at all", 400),
        (b"--x\r\nTrue--x--\r\n", 400),  # found by schemathesis: a head that is none
        (b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc", 400),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n", 422),
        (b"--x\r\nContent-Disposition: form-data; name=visibility\r\n\r\npublic\r\n--x--\r\n", 422),
        (b"--x\r\nContent-Disposition: form-data; name=what\r\n\r\nabc\r\n--x--\r\n", 422),
        (b"--x\r\nContent-Disposition: form-data; name=visibility\r\n\r\n\xff\r\n--x--\r\n", 400),
        (
            (
                b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--x--\r\n"
            ),
            415,
        ),
        (
            (
                b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n"
                b"Content-Disposition: form-data; name=file\r\n\r\n"
                b"--y\r\n\r\nabc\r\n--y--\r\n--x--\r\n"
            ),
            422,
        ),
    ],
)
async def test_parts_that_are_none_are_refused(desk: Desk, body: bytes, status: int) -> None:
    ticket = await desk.ticket()
    said = await desk.ours.call(
        "POST",
        f"/tickets/{ticket['id']}/files",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert said.status == status, said.raw
    assert (await desk.ours.get(f"/tickets/{ticket['id']}"))["attachments"] == []


async def test_a_file_that_is_too_large_leaves_nothing(network: Network, tmp_path: Path) -> None:
    company = await network.company(NAMES[0], file_bytes=1000)

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100

    async with program(company) as ours:
        desk = Desk(network, ours)
        ticket = await desk.ticket()
        parts = FormData()
        parts.add_field("file", b"x" * 1001, filename="a", content_type="text/plain")
        for said in (
            await put(ours, ticket, "a", b"x" * 1001),
            await put(ours, ticket, "a", drip()),
            await ours.call("POST", f"/tickets/{ticket['id']}/files", data=parts),
        ):
            assert (said.status, said.code) == (413, "file_too_large")
        assert (await put(ours, ticket, "a", b"x" * 1000)).status == 201
        assert len((await ours.get(f"/tickets/{ticket['id']}"))["attachments"]) == 1
    kept = [one for one in company.settings.files_dir.rglob("*") if one.is_file()]
    assert len(kept) == 1


async def test_an_upload_that_breaks_off_leaves_nothing(desk: Desk) -> None:
    ticket = await desk.ticket()
    port = desk.ours.client.port
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /api/v1/tickets/{ticket['id']}/files?name=a HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {desk.ours.token}\r\nContent-Type: text/plain\r\n"
        "Content-Length: 100000\r\n\r\n".encode()
        + b"x" * 50_000
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await desk.ours.get(f"/tickets/{ticket['id']}"))["attachments"] == []


async def test_a_file_without_a_name_or_a_type_is_refused(desk: Desk) -> None:
    ticket = await desk.ticket()
    path = f"/tickets/{ticket['id']}/files"
    said = await desk.ours.call("POST", path, data=b"x", headers={"Content-Type": "text/plain"})
    assert (said.status, said.said["errors"][0]["parameter"]) == (422, "name")
    said = await put(desk.ours, ticket, "a", b"x", query="&visibility=secret")
    assert (said.status, said.said["errors"][0]["parameter"]) == (422, "visibility")


async def test_a_file_taken_back_is_gone_here_and_there(pair: Pair) -> None:
    ticket, _ = await pair.offered()
    (file,) = (await put(pair.ours, ticket, "акт.txt", ACT)).said["items"]
    await pair.network.run_until_idle()
    (child,) = (await pair.theirs.get("/tickets"))["items"]
    there = f"/tickets/{child['id']}/files/{quote('акт.txt')}"
    assert (await pair.theirs.call("GET", there)).raw == ACT
    said = await pair.theirs.call("DELETE", there)
    assert (said.status, said.code) == (403, "not_yours")
    here = f"/tickets/{ticket['id']}/files/{file['id']}"
    await pair.ours.delete(here, query="?reason=wrong")
    await pair.network.run_until_idle()
    assert (await pair.ours.call("GET", here)).status == 404
    assert (await pair.theirs.call("GET", there)).status == 404
    assert (await pair.ours.call("DELETE", here)).status == 404
