"""A dispute about one ticket, its bundles, and the verifier as strangers run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cryptography
import pytest

from hub.actions import evidence, keys, links
from hub.actions.evidence import Exported, ExportEvidence
from hub.ids import LinkId
from tests.kit.story import Firm, Story, Ticket, Work

VERIFIER = Path(__file__).parents[2] / "hub" / "evidence" / "verify.py"


@dataclass
class Dispute:
    """A ticket that came back once, with words and files, seen from both sides."""

    network: Story
    vendor: Firm
    master: Firm
    ticket: Ticket
    work: Work


async def dispute(network: Story) -> Dispute:
    vendor, master = await network.linked("Касса-Сервис", "Мастер-Юг")
    ticket = await vendor.new_ticket("Не печатает чек", description="<script>alert(1)</script>")
    work = await vendor.hand_off(ticket, to=master)
    await network.pass_time(minutes=5)
    await master.accept(work, by="Иван")
    await master.start(work, "Выезд завтра")
    await vendor.say(ticket, "Ключ у охраны, тел. +7 900 000-00-00")
    await vendor.attach(ticket, vendor.paper("акт.pdf", b"%PDF act"))
    await network.pass_time(hours=3)
    await master.resolve(work, "Заменена термоголовка")
    await vendor.send_back(work, "Не печатает снова")
    await master.start(work)
    await master.resolve(work, "Заменён шлейф")
    await vendor.confirm(work, 4, "Со второго раза")
    await vendor.close(work)
    return Dispute(network, vendor, master, ticket, work)


async def change_keys(told: Dispute, firm: Firm, what: str) -> None:
    """This company changes its keys (rotate | revoke | identity), and everybody knows of it."""
    hub, link = firm.hub, LinkId(told.work.link)
    if what == "identity":
        await keys.replace_identity(hub, firm.dispatcher)
    elif what == "rotate":
        await keys.rotate(hub, firm.dispatcher, keys.uses_of("all"))
    else:
        await keys.revoke(hub, firm.dispatcher, hub.keys.message.kid, "утечка")
        await told.network.pass_time(minutes=10)
        for one in (told.vendor, told.master):
            await links.resume(one.hub, one.dispatcher, link)
    await told.network.pass_time(hours=1)


async def export(firm: Firm, path: Path, **wish: Any) -> Exported:
    """Export, and write the bundle."""
    made = await evidence.export(firm.hub, firm.dispatcher, ExportEvidence(**wish))
    with path.open("wb") as out:
        for chunk in made.chunks():
            out.write(chunk)
    return made


async def ticket_bundle(firm: Firm, work: Work, path: Path, **wish: Any) -> Exported:
    """The ticket of this hand-off, as this company exports it."""
    ticket = await firm.ticket_of(work)
    return await export(firm, path, ticket=ticket.id, **wish)


async def link_bundle(firm: Firm, work: Work, path: Path, **wish: Any) -> Exported:
    """The whole link."""
    return await export(firm, path, link=LinkId(work.link), **wish)


@dataclass(frozen=True)
class Verified:
    """What the verifier said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def findings(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for one in self.said["findings"]:
            found.setdefault(one["code"], []).append(one)
        return found


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place where the standard library and `cryptography` are all there is to import."""
    root = tmp_path_factory.mktemp("stranger")
    packages = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", "_cffi_backend"):
        for found in packages.glob(f"{name}*"):
            (root / found.name).symlink_to(found)
    return root


@dataclass(frozen=True)
class Stranger:
    """Somebody without a hub, who has a bundle and its verify.py."""

    packages: Path

    def verify(
        self, bundle: Path, *more: str, program: Path = VERIFIER, as_json: bool = True
    ) -> Verified:
        start = (
            "import runpy, sys; "
            f"sys.path.append({str(self.packages)!r}); "
            f"sys.argv = {[str(program), str(bundle), *more, *(['--json'] if as_json else [])]!r}; "
            f"runpy.run_path({str(program)!r}, run_name='__main__')"
        )
        done = subprocess.run(
            # -I: nothing of this environment, -S: no site-packages, so no hub
            [sys.executable, "-I", "-S", "-c", start],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            env={"PYTHONIOENCODING": "utf-8"},
        )
        return Verified(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def third_party(stranger: Path) -> Stranger:
    return Stranger(stranger)


def types(said: dict[str, Any], link: int = 0) -> Sequence[str]:
    """What the timeline of a link tells of hand-offs, comments and epochs, in order."""
    found = [one["type"] for one in said["links"][link]["timeline"]]
    return [one for one in found if not one.startswith("link.") or one == "link.epoch"]
