"""C8: what the node exports convinces somebody who has nothing but the file and Python."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.conformance.implementation import Ability
from tests.conformance.peer import comment_data
from tests.conformance.runner import World, case


async def _verify(bundle: bytes, verifier: bytes) -> tuple[int, str]:
    """Exit code and words of the verifier, run alone on the bundle."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        path = Path(folder)
        (path / "bundle.zip").write_bytes(bundle)
        (path / "verify.py").write_bytes(verifier)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "verify.py", "bundle.zip", cwd=folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()


def _altered(bundle: bytes, name: str) -> bytes:
    """The bundle with one byte of one entry changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == name:
                middle = len(content) // 2
                flipped = bytes(one ^ 1 for one in content[middle : middle + 1]) or b"!"
                content = content[:middle] + flipped + content[middle + 1 :]
            target.writestr(entry.filename, content)
    return out.getvalue()


@case("C8", Ability.EVIDENCE, Ability.CONTRACT, Ability.PEOPLE)
async def bundle(world: World) -> None:
    """A bundle verifies, and no entry of it can be altered"""
    async with world.peer() as peer:
        handoff = await peer.offer("Спор")
        await peer.say("comment.add", comment_data(peer.name, "Сделано не будет"), handoff)
        await world.reached(handoff, "offered")
        for step in ("accept", "start", "resolve"):
            await world.node.act(handoff, step)
        await peer.hear("handoff.resolve", handoff)
        await peer.say("handoff.confirm", {"from": "resolved", "auto": False}, handoff)
        await world.reached(handoff, "confirmed")
        made = await world.node.bundle(handoff)
        with zipfile.ZipFile(io.BytesIO(made)) as archive:
            names = archive.namelist()
            verifier = archive.read("verify.py")
        code, said = await _verify(made, verifier)
        assert code == 0, said
        world.count()
        for name in names:
            if name in {"verify.py", "report.html"}:
                continue
            code, said = await _verify(_altered(made, name), verifier)
            assert code == 1, (name, said)
            world.count()
