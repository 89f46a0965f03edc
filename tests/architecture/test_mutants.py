"""The planted bugs of `make mutants` fit the code as it is, and the tests they name exist."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tools import mutants
from tools.mutants import MUTANTS, ROOT, Mutant

TABLE = mutants.table()


@cache
def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def test_every_patch_is_in_the_table_and_there_are_enough() -> None:
    assert sorted(path.stem for path in MUTANTS.glob("*.patch")) == sorted(m.name for m in TABLE)
    assert len({one.number for one in TABLE}) == len(TABLE) >= 32


@pytest.mark.parametrize("mutant", TABLE, ids=lambda one: one.name)
def test_every_patch_applies_and_every_test_it_names_exists(mutant: Mutant) -> None:
    assert mutants.apply(mutant, ROOT, "--check") == ""
    assert mutant.breaks.endswith(".")
    assert mutant.caught_by
    for named in mutant.caught_by:
        file, _, function = named.partition("::")
        assert function.partition("[")[0] in _functions(file), named
