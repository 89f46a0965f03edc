"""The planted bugs of `make mutants` fit the code as it is, and the tests they name exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import MUTANTS, ROOT, Mutant

TABLE = mutants.table()


def test_every_patch_is_in_the_table_and_there_are_enough() -> None:
    assert sorted(path.stem for path in MUTANTS.glob("*.patch")) == sorted(m.name for m in TABLE)
    assert len({one.number for one in TABLE}) == len(TABLE) >= 32


@pytest.mark.parametrize("mutant", TABLE, ids=lambda one: one.name)
def test_every_patch_applies(mutant: Mutant) -> None:
    assert mutants.apply(mutant, ROOT, "--check") == ""
    assert mutant.breaks.endswith(".")
    assert mutant.caught_by


def test_every_test_they_name_can_be_run() -> None:
    named = sorted({test for one in TABLE for test in one.caught_by})
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stdout + collected.stderr


FIXTURES = """
import pytest

@pytest.fixture
def set_up():
    raise RuntimeError

@pytest.fixture
def torn_down():
    yield
    assert False
"""


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ("def test_it(): pass", None),
        ("def test_it(): assert False", "test_it.py::test_it"),
        ("def test_it(torn_down): pass", "test_it.py::test_it (at its teardown)"),
        ("def test_it(torn_down): assert False", "test_it.py::test_it"),
        ("def test_it(set_up): pass", None),
        ("def test_it(torn_down, set_up): pass", None),
        ("def test_it(:", None),
    ],
)
def test_a_bug_is_found_by_a_test_that_fails_or_cannot_be_torn_down(
    tmp_path: Path, test: str, found: str | None
) -> None:
    (tmp_path / "test_it.py").write_text(f"{FIXTURES}\n{test}\n", encoding="utf-8")
    code, words = mutants.run(tmp_path, ["-x", "test_it.py"], mutants.PATIENCE_S)
    assert mutants.finder(code, words) == found
