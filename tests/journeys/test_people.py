"""Люди приходят, меняют роли и уходят; без администратора узел не остаётся."""

from __future__ import annotations

from hub.actions import agents
from hub.actions.context import Actor
from hub.storage import agents as kept
from hub.storage.agents import Agent
from tests.kit.rows import changed, stored
from tests.kit.story import Firm, Story, refused


async def _person(firm: Firm, name: str) -> Agent:
    found = await firm.look(lambda c: kept.find(c, name))
    assert found is not None
    return found


async def test_people_come_change_and_go_and_the_last_admin_stays(network: Story) -> None:
    firm = await network.company("Касса-Сервис")
    hub, admin = firm.hub, firm.dispatcher
    ivan = await agents.add(hub, admin, email=" ivan@plus.example ", name="Иван", role="engineer")
    before = await stored(hub)
    for act, code in (
        (agents.add(hub, admin, email="без-собаки", name="И", role="engineer"), "email_invalid"),
        (agents.add(hub, admin, email="a@b.example", name=" ", role="engineer"), "name_invalid"),
        (agents.add(hub, admin, email="a@b.example", name="И", role="царь"), "role_unknown"),
        (
            agents.add(hub, admin, email="ivan@plus.example", name="И", role="lead"),
            "agent_exists",
        ),
        (agents.disable(hub, admin, "никто@plus.example"), "agent_unknown"),
        (agents.disable(hub, admin, admin.ref), "last_admin"),
        (agents.change(hub, admin, admin.ref, display="Я", role="engineer"), "last_admin"),
        (agents.enable(hub, admin, ivan), ""),  # is at work already
        (agents.prefer(hub, admin, language="tlh"), "language_unknown"),
        (agents.prefer(hub, admin, time_zone="Mars/Phobos"), "zone_unknown"),
        (agents.prefer(hub, admin), ""),  # nothing was wished
        (agents.call(hub, admin, "\u202eнавыворот"), "name_invalid"),
        (agents.change(hub, admin, ivan, display="Иван", role="engineer"), ""),  # as it was
    ):
        if code:
            with refused(code):
                await act
        else:
            await act
    assert changed(before, await stored(hub)) == []

    await agents.change(hub, admin, ivan, display="Иван Второй", role="admin")
    second = Actor(ivan, "Иван Второй", "admin")
    await agents.prefer(hub, second, language="en", time_zone="Asia/Omsk")
    await agents.call(hub, second, "Иван")
    there = await _person(firm, "ivan@plus.example")
    assert (there.display, there.role, there.disabled_at) == ("Иван", "admin", None)

    # Теперь администраторов двое: уйти может любой, но не оба.
    for _twice in range(2):
        await agents.disable(hub, second, admin.ref)
    assert (await _person(firm, admin.ref)).disabled_at is not None
    with refused("last_admin"):
        await agents.disable(hub, second, ivan)
    await agents.enable(hub, second, admin.ref)
    assert (await _person(firm, admin.ref)).disabled_at is None
