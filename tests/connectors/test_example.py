"""The example of docs/howto/write-a-connector.md works, and its suite notices a broken promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples" / "connector-template"


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "run.py")], capture_output=True, text=True, check=False
    )


def test_the_example_keeps_every_promise() -> None:
    done = run(FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert done.stdout.count("✓") > 40


def test_a_description_that_shows_private_notes_is_caught(tmp_path) -> None:
    folder = tmp_path / "examples" / "connector-template"
    folder.mkdir(parents=True)
    for file in FOLDER.iterdir():
        if file.is_file():
            text = file.read_text("utf-8").replace("entry.for == 'everybody'", "true")
            (folder / file.name).write_text(text, "utf-8")
    (tmp_path / "connectors").symlink_to(FOLDER.parents[1] / "connectors")
    done = run(folder)
    assert done.returncode == 1
    assert "✗ comments_come_with_their_privacy" in done.stdout
