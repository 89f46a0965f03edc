"""What docs/howto/api.md shows runs as it stands there, against a node with real sockets."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.api.conftest import Pair

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def run(pair: Pair, folder: Path, *command: str) -> str:
    env = {
        **os.environ,
        "HUB_URL": str(pair.ours.client.make_url("/")).rstrip("/"),
        "HUB_TOKEN": pair.ours.token or "",
        "PYTHONIOENCODING": "utf-8",
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
async def test_the_curl_example_runs(pair: Pair, tmp_path: Path) -> None:
    (script,) = blocks("sh")
    out = await run(pair, tmp_path, "sh", "-e", "-c", script)
    assert "Касса 3, ошибка 25\n" in out
    shown = await pair.ours.get("/tickets/T-1001")
    assert (shown["title"], shown["comments"][0]["visibility"]) == ("Не печатает чек", "public")
    assert [one["name"] for one in shown["attachments"]] == ["report.txt"]


async def test_the_python_example_runs(pair: Pair, tmp_path: Path) -> None:
    (script,) = blocks("python")
    made = await pair.ticket(contact={"name": "Пётр"})
    out = await run(pair, tmp_path, sys.executable, "-c", script)
    assert f"{made['number']} is offered to Мастер-Юг" in out
    assert "Пётр" not in out
    (handoff,) = (await pair.ours.get(f"/tickets/{made['id']}"))["handoffs"]
    assert handoff["state"] == "offered"
