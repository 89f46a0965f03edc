"""Any request whatever gets an answer that the description of the API knows.

schemathesis makes the requests up from the description: right ones, and wrong ones of every kind.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from hub.actions import tokens
from hub.domain.permission import SCOPES
from tests.console.test_who_may import furnish
from tests.kit.console import Console
from tests.kit.network import Network

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
SECONDS = 60
LEFT_OUT = (
    "followEvents",  # it never ends
    "revokeToken",  # these two would end the token all requests come with
    "disableAgent",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_answer_is_one_that_is_described(quick_path: Path) -> None:
    network = Network(quick_path)
    ours = await network.company("Сервис Плюс", api_calls_per_minute=1_000_000)
    link = await network.link(ours, await network.company("Мастер-Юг"))
    console = await Console.serve(ours)
    await furnish(console, link)
    who = ours.dispatcher
    _, token = await tokens.new(ours.hub, who, who.ref, "any", SCOPES, None)  # type: ignore[arg-type]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{console.url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)),
        *(part for name in LEFT_OUT for part in ("--exclude-operation-id", name)),
        *("--phases", "fuzzing", "--max-examples", "4", "--max-time", str(SECONDS)),
        *("--no-shrink", "--suppress-health-check", "all", "--continue-on-failure"),
        *("--seed", "2026", "--no-color", "--output-sanitize", "false"),
        cwd=quick_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 280)
    await console.close()
    await network.close()
    text = "\n".join(line[:500] for line in said.decode("utf-8", "replace").splitlines())
    assert process.returncode == 0, text[-20_000:]
    assert "Tested: " in text
