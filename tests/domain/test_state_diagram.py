"""The page about the states is the table, and `--check` notices when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.domain.handoff import TRANSITIONS
from tools import state_diagram


def test_the_page_is_up_to_date() -> None:
    assert state_diagram.main(["--check"]) == 0


def test_the_page_has_every_step() -> None:
    page = state_diagram.page()
    arrows = {
        f"    {source} --> {row.target}: {row.act}\n"
        for row in TRANSITIONS
        for source in row.sources
    }
    assert all(arrow in page for arrow in arrows)
    assert page.count(" --> ") == len(arrows) + 5  # the offer, and the four ends


def test_the_check_notices_another_page_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "states.md"
    monkeypatch.setattr(state_diagram, "PAGE", page)
    assert state_diagram.main(["--check"]) == 1
    assert not page.exists()
    page.write_text("old", encoding="utf-8")
    assert state_diagram.main(["--check"]) == 1
    assert page.read_text(encoding="utf-8") == "old"
    assert "out of date" in capsys.readouterr().err
    assert state_diagram.main([]) == 0
    assert state_diagram.main(["--check"]) == 0
