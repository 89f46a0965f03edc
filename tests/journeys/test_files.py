"""Файлы: большой и с обрывами, подменённый, слишком большой, целая пачка."""

from __future__ import annotations

import hashlib
import io
from base64 import urlsafe_b64encode

from tests.kit.story import Story, terms

MIB = 1024 * 1024
PATTERN = bytes(range(251)) * 1045  # 251 is prime: no two blocks of the file are alike


def _generated(size: int) -> io.BytesIO:
    return io.BytesIO((PATTERN * (size // len(PATTERN) + 1))[:size])


async def test_a_hundred_mebibytes_arrive_though_the_line_keeps_breaking(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Видео с камеры")
    work = await vendor.hand_off(ticket, to=partner)
    content = _generated(100 * MIB)
    digest = urlsafe_b64encode(hashlib.sha256(content.getbuffer()).digest()).rstrip(b"=").decode()
    network.wire.chunk_limit = 40 * MIB
    await vendor.attach(ticket, vendor.paper("камера.mp4", content, "video/mp4"))

    theirs = await partner.ticket_of(work)
    await partner.accept(work)  # работа идёт, не дожидаясь файла
    await work.stands("accepted")
    assert await theirs.papers() == {"камера.mp4": "fetching"}
    assert not partner.hub.blobs.has(digest)  # половину файла не видит никто
    await network.pass_time(minutes=30)
    assert await theirs.papers() == {"камера.mp4": "available"}
    path = partner.hub.blobs.path(digest)
    assert path.stat().st_size == 100 * MIB
    with path.open("rb") as whole:
        assert (
            hashlib.file_digest(whole, "sha256").digest()
            == hashlib.sha256(content.getbuffer()).digest()
        )
    # Продолжали с места обрыва, ничего не качая заново.
    asked = [one for one in network.wire.sent if one.startswith(b"GET ") and b"/blobs/" in one]
    assert len(asked) == 3
    assert b"range" not in asked[0].lower().partition(b"signature-input")[0]
    assert f"bytes={40 * MIB}-".encode() in asked[1]
    assert f"bytes={80 * MIB}-".encode() in asked[2]
    assert sum(len(one) for one in network.wire.sent) < 101 * MIB
    assert "file.status" in await partner.letter_types(vendor)
    network.wire.sent.clear()


async def test_wrong_bytes_are_refused_and_never_shown(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Счёт")
    work = await vendor.hand_off(ticket, to=partner)
    right = vendor.paper("счёт.pdf", b"%PDF to pay: 1000")
    vendor.hub.blobs.path(right.sha256).write_bytes(b"%PDF to pay: 9000")
    await vendor.attach(ticket, right)
    await network.pass_time(days=1)
    theirs = await partner.ticket_of(work)
    found = await theirs.paper("счёт.pdf")
    assert (found.state, found.reason) == ("refused", "digest_mismatch")
    assert not partner.hub.blobs.has(right.sha256)
    told = [row for row in await partner.letters_to(vendor) if row.type == "file.status"]
    assert '"status":"refused"' in (told[0].data or "")


async def test_a_file_longer_than_announced_is_refused(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Счёт")
    work = await vendor.hand_off(ticket, to=partner)
    right = vendor.paper("счёт.pdf", b"%PDF to pay: 1000")
    vendor.hub.blobs.path(right.sha256).write_bytes(b"%PDF to pay: 1000 and much more")
    await vendor.attach(ticket, right)
    await network.pass_time(days=1)
    assert (await (await partner.ticket_of(work)).paper("счёт.pdf")).state == "refused"
    assert not partner.hub.blobs.has(right.sha256)


async def test_what_the_middle_could_not_get_ends_below_too(network: Story) -> None:
    """Середина так и не получила файл: ниже его не ждут вечно."""
    vendor, partner, master = await network.linked("Касса-Сервис", "Мастер-Юг", "ИП Ветров")
    ticket = await vendor.new_ticket("Счёт")
    one = await vendor.hand_off(ticket, to=partner)
    two = await partner.hand_off(one, to=master)
    right = vendor.paper("счёт.pdf", b"%PDF to pay: 1000")
    vendor.hub.blobs.path(right.sha256).write_bytes(b"%PDF to pay: 9000")
    await vendor.attach(ticket, right)
    await network.pass_time(days=2)
    assert (await (await partner.ticket_of(one)).paper("счёт.pdf")).state == "refused"
    assert (await (await master.ticket_of(two)).paper("счёт.pdf")).state == "gone"


async def test_what_is_too_large_for_the_middle_is_not_announced_below(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг", file_bytes=1000)
    master = await network.company("ИП Ветров")
    await network.link(vendor, partner)
    await network.link(partner, master)
    ticket = await vendor.new_ticket("Фото и чертёж")
    one = await vendor.hand_off(ticket, to=partner)
    two = await partner.hand_off(one, to=master)
    await vendor.attach(
        ticket, vendor.paper("чертёж.dwg", b"A" * 1001), vendor.paper("фото.jpg", b"B" * 999)
    )
    await network.pass_time(hours=2)
    there = await (await partner.ticket_of(one)).papers()
    assert there == {"чертёж.dwg": "refused", "фото.jpg": "available"}
    assert await (await master.ticket_of(two)).papers() == {"фото.jpg": "available"}


async def test_a_ticket_with_more_files_than_one_message_carries(network: Story) -> None:
    vendor, partner = await network.linked("Касса-Сервис", "Мастер-Юг")
    papers = [vendor.paper(f"фото-{n:02}.jpg", f"photo {n}".encode()) for n in range(45)]
    ticket = await vendor.new_ticket("Приёмка магазина", files=papers)
    work = await vendor.hand_off(ticket, to=partner)
    await network.pass_time(hours=1)
    theirs = await partner.ticket_of(work)
    assert await theirs.papers() == {one.name: "available" for one in papers}
    await partner.accept(work)
    reports = [partner.paper(f"отчёт-{n:02}.jpg", f"report {n}".encode()) for n in range(25)]
    await partner.attach(work, *reports)
    await network.pass_time(hours=1)
    assert {one.name for one in reports} <= set(await ticket.papers())


async def test_no_files_cross_where_the_agreement_has_none(network: Story) -> None:
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, offer=terms(as_principal={"disclose": {"files": False}}))
    ticket = await vendor.new_ticket("Без бумаг", files=[vendor.paper("договор.pdf", b"%PDF")])
    work = await vendor.hand_off(ticket, to=partner)
    await vendor.attach(ticket, vendor.paper("фото.jpg", b"photo"))
    await vendor.say(ticket, "Смотрите описание", files=[vendor.paper("план.pdf", b"plan")])
    theirs = await partner.ticket_of(work)
    assert await theirs.papers() == {}
    assert await theirs.texts() == ["Смотрите описание"]
    await theirs.never_sees("договор.pdf", "фото.jpg", "план.pdf")
    await partner.attach(work, partner.paper("акт.pdf", b"act"))  # обратно файлы идут
    assert await ticket.opens("акт.pdf") == b"act"


async def test_a_comment_taken_back_takes_every_file_of_it_along(network: Story) -> None:
    """Also those for which its own message had no room."""
    vendor = await network.company("Касса-Сервис")
    partner = await network.company("Мастер-Юг")
    await network.link(vendor, partner, offer=terms(as_principal={"max_files": 1}))
    work = await vendor.hand_off(await vendor.new_ticket("Не печатает"), to=partner)
    papers = [vendor.paper(f"{n}.pdf", bytes([n])) for n in range(3)]
    said = await vendor.say(work, "Три снимка", files=papers)
    there = await partner.ticket_of(work)
    assert set((await there.papers()).values()) == {"available"}
    await vendor.take_back(said)
    assert set((await there.papers()).values()) == {"redacted"}
