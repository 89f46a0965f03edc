"""The suite itself: it knows nothing of the hub, says what it found, and finds what is broken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conformance import cases as _cases  # noqa: F401 - registers every case
from tests.conformance import minimal_node
from tests.conformance.implementation import Ability
from tests.conformance.minimal_node import MinimalPeer
from tests.conformance.runner import CASES, GROUPS, Entry, Report, Result, World, _one, run

HERE = Path(__file__).parent
SUITE = [path for path in HERE.rglob("*.py") if not path.name.startswith("test_")]


def test_the_suite_imports_nothing_of_the_hub() -> None:
    for path in SUITE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert name.split(".")[0] != "hub", path
                assert not name.startswith("tests.") or name.startswith("tests.conformance"), path


def test_every_group_has_cases_and_every_case_a_title_of_its_own() -> None:
    assert {one.group for one in CASES} == set(GROUPS)
    titles = [(one.group, one.title) for one in CASES]
    assert len(titles) == len(set(titles))


async def test_a_case_that_fails_is_named_and_one_that_does_not_apply_gives_its_reason() -> None:
    async def fails(_world: World) -> None:
        raise AssertionError("the node lied")

    node = MinimalPeer()
    entries = [
        Entry("C1", "fails", frozenset(), fails),
        Entry("C1", "needs files", frozenset({Ability.FILES}), fails),
    ]
    results = [await _one(node, entry) for entry in entries]
    await node.stop()
    report = Report(node.name, results)
    text = "\n".join(report.lines())
    assert [one.outcome for one in results] == ["failed", "not applicable"]
    assert "the node lied" in text
    assert f"needs files ({node.cannot[Ability.FILES]})" in text


def test_a_table_counts_what_was_checked() -> None:
    results = [Result(one, "passed", 2, 0.1) for one in CASES]
    assert f"{2 * len(CASES):7}" in Report("all", results).lines()[-1]


# --- what it is for ---------------------------------------------------------------------------

BROKEN: dict[str, tuple[str, str, str]] = {
    "believes every call": ("C7", "            check_http(asked, body, REQUEST, self.hub)\n", ""),
    "answers a copy with an error": (
        "C3", "continue  # a second copy", 'raise Wrong("malformed", "again")'),
    "does not look at the hash of the payload": ("C3", 'if sha(text) != said["dh"]:', "if False:"),
    "sees no fork": (
        "C7", "if known and known != [message_hash(env)]:", "if False:"),
    "stores what continues nothing": ("C3", 'if said["seq"] > len(self.hashes) + 1:', "if False:"),
    "refuses what it may ignore": ("C10", 'if code and said["must"]:', "if code:"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_peer_is_found_out(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, right, wrong = BROKEN[how]
    text = minimal_node.PEER.read_text(encoding="utf-8")
    assert text.count(right) == 1
    broken = tmp_path / "peer.py"
    broken.write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(minimal_node, "PEER", broken)
    report = await run(MinimalPeer, [group])
    assert report.failed
