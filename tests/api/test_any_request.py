"""Any request whatever gets an answer that the description of the API knows.

schemathesis makes the requests up from the description: right ones, wrong ones of every kind, every
bound of every member, and stories of several requests in which one uses what another made.
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

NOT_CHECKED = (
    # Two right requests may not be right one after the other: the same Idempotency-Key with
    # another body, a second hand-off to the same partner. Every other check there is, is made.
    "positive_data_acceptance",
)
PHASES = "examples,coverage,fuzzing,stateful"
LEFT_OUT = (
    "followEvents",  # it never ends
    "revokeToken",  # these two would end the token all requests come with
    "disableAgent",
    "tryDesk",  # these two ask a desk over there, which is none: 503, and rightly so
    "tryDeskOnAll",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_answer_is_one_that_is_described(quick_path: Path) -> None:
    await _any_requests(quick_path, seconds=60, examples=4, seed=2026)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_answer_of_many_more_is_one_that_is_described(
    quick_path: Path, seed: int
) -> None:
    await _any_requests(quick_path, seconds=600, examples=60, seed=seed)


async def _any_requests(root: Path, *, seconds: int, examples: int, seed: int) -> None:
    """Every operation in every phase, for about so long. Fails with what schemathesis found."""
    network = Network(root)
    ours = await network.company("Сервис Плюс", api_calls_per_minute=1_000_000)
    link = await network.link(ours, await network.company("Мастер-Юг"))
    console = await Console.serve(ours)
    await furnish(console, link)
    who = ours.dispatcher
    _, token = await tokens.new(ours.hub, who, who.ref, "any", SCOPES, None)  # type: ignore[arg-type]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{console.url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--exclude-checks", ",".join(NOT_CHECKED)),
        *(part for name in LEFT_OUT for part in ("--exclude-operation-id", name)),
        *("--phases", PHASES, "--max-examples", str(examples), "--max-time", str(seconds)),
        *("--no-shrink", "--suppress-health-check", "all", "--continue-on-failure"),
        *("--seed", str(seed), "--no-color", "--output-sanitize", "false"),
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), seconds + 200)
    await console.close()
    await network.close()
    text = "\n".join(line[:500] for line in said.decode("utf-8", "replace").splitlines())
    assert process.returncode == 0, text[-20_000:]
    assert "✅ Coverage" in text, text[-3000:]  # the one that goes by every bound of every member
    print("\n".join(text.splitlines()[-12:]))
