"""The planted bugs of `make mutants` fit the code as it is, and the tests they name exist."""

from __future__ import annotations

import subprocess
import sys

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
