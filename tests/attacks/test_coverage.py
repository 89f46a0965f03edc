"""Every family of attacks is shown by tests that exist, with as many inputs as were asked for."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.coverage import FAMILIES, Family
from tools import attack_docs, mail_attacks

TESTS = Path(__file__).parents[1]
IDS = [*(f"A{n}" for n in range(1, 18)), *(f"B{n}" for n in range(1, 13)), "C",
       *(f"D{n}" for n in range(1, 16)), *(f"E{n}" for n in range(1, 17)),
       *(f"X{n}" for n in range(1, 7))]  # fmt: skip


@cache
def _functions(file: str) -> dict[str, ast.AST]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def test_every_family_is_here_once() -> None:
    assert list(FAMILIES) == IDS


@pytest.mark.parametrize("family", FAMILIES)
def test_every_test_that_is_named_exists(family: str) -> None:
    one = FAMILIES[family]
    assert one.shown or one.elsewhere
    for named in one.shown:
        file, _, function = named.partition("::")
        assert function in _functions(file), named


def test_the_page_of_attacks_by_letter_says_what_the_table_says() -> None:
    assert mail_attacks.main(["--check"]) == 0, "python -m tools.mail_attacks"


def test_the_page_is_what_the_table_says() -> None:
    assert attack_docs.main(["--check"]) == 0


def _inputs(named: str) -> int:
    """How many inputs a test has: its parameters, else the longest table it goes through."""
    file, _, function = named.partition("::")
    module = importlib.import_module("tests." + file.removesuffix(".py").replace("/", "."))
    marks = getattr(getattr(module, function), "pytestmark", [])
    count = 1
    for mark in marks:
        if mark.name == "parametrize":
            count *= len(list(mark.args[1]))
    node: Any = _functions(file)[function]
    tables = [
        len(value)
        for name in {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        if name.isupper() and isinstance(value := getattr(module, name, None), (dict, list, tuple))
    ]
    numbers = [int(found) for found in re.findall(r"range\((\d+)\)", ast.unparse(node))]
    return count if marks else max([count, *tables, *numbers])


COUNTED_ELSEWHERE = {
    "A1": "each test goes through all routes of the door",
    "A10": "each way of parting is followed by four ways back in",
    "A15": "the vectors of Wycheproof are counted where they are read",
    "B1": "the files of the corpus are counted where they are read",
    "B12": "the workers of one test",
}


@pytest.mark.parametrize("family", [one for one in FAMILIES if one not in COUNTED_ELSEWHERE])
def test_there_are_as_many_inputs_as_were_asked_for(family: str) -> None:
    one: Family = FAMILIES[family]
    assert sum(map(_inputs, one.shown)) >= one.asked
