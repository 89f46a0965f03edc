"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "hub").rglob("*.py"))
_NAMES = {
    "utils",
    "helpers",
    "common",
    "core",
    "base",
    "manager",
    "service",
    "handler",
    "processor",
    "data",
    "info",
}


def test_imports_go_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_promises_and_has_a_name_of_the_field(path: Path) -> None:
    assert path.stem not in _NAMES
    source = path.read_text("utf-8")
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), "no module docstring"


def test_the_clock_and_randomness_are_handed_in() -> None:
    offenders = []
    for path in MODULES:
        if path.name == "clock.py" or "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                spelled = f"{node.value.id}.{node.attr}"
                if spelled in {
                    "datetime.now",
                    "datetime.utcnow",
                    "time.time",
                    "secrets.token_bytes",
                    "random.random",
                    "uuid.uuid4",
                    "os.urandom",
                }:
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno} {spelled}")
    assert offenders == []
