"""Small pictures of images: of good ones, and of those made to harm whoever looks at them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from hub.actions import files, tickets
from hub.actions.tickets import NewTicket
from hub.console.pages.files import NO_PICTURE
from tests.kit.browsing import no_complaints
from tests.kit.console import Console, Person


def a_photo(width: int = 1200, height: int = 800, form: str = "JPEG", **said: Any) -> bytes:
    image = Image.new("RGB", (width, height), "navy")
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))  # red is at the top left
    out = BytesIO()
    image.save(out, form, **said)
    return out.getvalue()


async def attached(console: Console, content: bytes, media_type: str = "image/jpeg") -> str:
    """The path of the small picture of this file on a new ticket."""
    hub, who = console.company.hub, console.company.dispatcher
    ticket = await tickets.create(hub, who, NewTicket("Фото"))
    new = files.store(hub, "фото.jpg", media_type, BytesIO(content))
    (file,) = await files.add(hub, who, ticket.id, [new])
    return f"/tickets/{ticket.number}/files/{file}/small"


async def looked(person: Person, path: str) -> tuple[Any, bytes]:
    async with person.session.get(person.console.url + path) as answer:
        assert answer.status == 200
        return answer.headers, await answer.read()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_photo_has_a_small_picture_without_what_the_camera_wrote(
    console: Console, form: str
) -> None:
    said: dict[str, Any] = {}
    if form == "JPEG":
        exif = Image.Exif()
        exif[0x0112] = 6  # it was held upright
        exif[0x010F] = "Camera of Anna"
        exif.get_ifd(0x8825)[1] = "N"
        said["exif"] = exif
    path = await attached(console, a_photo(form=form, **said), f"image/{form.lower()}")
    person = await console.person("engineer")
    headers, small = await looked(person, path)
    assert headers["content-type"] == "image/jpeg"
    assert headers["cache-control"] == "no-store"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    image = Image.open(BytesIO(small))
    assert image.width <= 320
    assert image.height <= 240
    assert not image.getexif()
    assert b"Anna" not in small
    red = (image.width - 5, 5) if form == "JPEG" else (5, 5)  # turned clockwise
    pixel = image.convert("RGB").getpixel(red)
    assert isinstance(pixel, tuple)
    assert pixel[0] > 150
    assert (await looked(person, path))[1] == small


def a_bomb(side: int = 60_000) -> bytes:
    """A PNG of 3.6 thousand million pixels in some hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    line = b"\x00" * (side // 8 + 1)
    body = b"".join(packer.compress(line * 100) for _ in range(20)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (a_bomb(), "image/png"),
        (a_photo()[:3000], "image/jpeg"),
        (b"\xff\xd8\xff" + b"\x00" * 5000, "image/jpeg"),
        (SVG, "image/svg+xml"),
        (SVG, "image/png"),
        (b"GIF89a" + SVG, "image/gif"),
        (a_photo(form="TIFF"), "image/jpeg"),
        (a_photo(31_000, 2), "image/jpeg"),
    ],
    ids=["bomb", "cut", "nonsense", "svg", "svg as png", "gif and svg", "tiff", "too wide"],
)
async def test_of_what_is_no_photo_only_a_drawing_of_ours_is_shown(
    console: Console, content: bytes, media_type: str
) -> None:
    path = await attached(console, content, media_type)
    headers, small = await looked(await console.person("engineer"), path)
    assert small == NO_PICTURE
    assert "sandbox" in headers["content-security-policy"]


async def test_a_small_picture_goes_with_its_file(console: Console) -> None:
    path = await attached(console, a_photo())
    person = await console.person("dispatcher")
    await looked(person, path)
    hub = console.company.hub
    (digest,) = hub.blobs.everything()
    assert hub.blobs.thumbnail(digest).exists()
    hub.blobs.drop(digest)
    assert not hub.blobs.thumbnail(digest).exists()
    assert (await person.get(path)).status == 503


async def test_small_pictures_are_for_whoever_may_see_the_ticket(console: Console) -> None:
    path = await attached(console, a_photo())
    stranger = console.stranger()
    assert (await stranger.get(path)).status == 303
    assert (await (await console.person("read_only")).get(path)).status == 200


async def test_the_ticket_shows_them_in_a_browser(console: Console, browser) -> None:
    path = await attached(console, a_photo())
    page, watched = await browser(console, "dispatcher")
    await page.goto(path.partition("/files/")[0])
    picture = page.locator(".file img").first
    await picture.scroll_into_view_if_needed()
    await picture.evaluate("one => one.decode()")
    assert await picture.evaluate("one => one.naturalWidth") == 320
    assert path in "".join(watched.requests)
    no_complaints(watched)
