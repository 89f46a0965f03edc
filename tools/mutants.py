"""Test the tests: plant one known bug at a time and see whether the named tests find it.

`python -m tools.mutants [--only NN …] [--jobs N]`. Every patch in tests/mutants is applied alone,
to a copy of the tree, and the tests that tests/mutants/table.toml names for it are run there. They
must pass without the patch and at least one must fail with it, or be found out by the checks of
the whole network behind it, at its teardown. An error of collecting or of setup shows nothing,
nor does running out of time. Exit code 1 if anything of it does not hold.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

ROOT: Final = Path(__file__).parents[1]
MUTANTS: Final = ROOT / "tests" / "mutants"
TABLE: Final = MUTANTS / "table.toml"
PATIENCE_S: Final = 240.0  # for the tests of one patch
PATIENCE_ALL_S: Final = 1800.0  # for all of them, without any patch

_LEFT_BEHIND: Final = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build"
)
_FAILED: Final = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)
_ENDED_IN_ERROR: Final = re.compile(r"^ERROR (.+?)(?: - .*)?$", re.MULTILINE)
_WHERE: Final = re.compile(
    r"^_+ ERROR (at teardown of|at setup of|collecting) .+ _+$", re.MULTILINE
)
_TESTS_FAILED: Final = 1  # pytest's exit code; others are errors, or no tests at all


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    name: str  # of its patch
    breaks: str  # what is wrong with it in place
    caught_by: tuple[str, ...]  # pytest node ids

    @property
    def patch(self) -> Path:
        """The file with the difference."""
        return MUTANTS / f"{self.name}.patch"

    @property
    def number(self) -> str:
        """Its number, as in the name."""
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of it."""

    mutant: Mutant
    caught: bool
    how: str  # the test that failed, or why it counts as missed
    seconds: float


def table() -> list[Mutant]:
    """All of them, as the table has them."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return [Mutant(name, row["breaks"], tuple(row["caught_by"])) for name, row in rows.items()]


def apply(mutant: Mutant, tree: Path, *how: str) -> str:
    """Apply the patch to the tree (`-R`: take it back, `--check`: only see); the complaint, if any.

    No context is forgiven: a patch for code that has moved on is written anew.
    """
    done = subprocess.run(
        ["git", "apply", *how, str(mutant.patch)],
        cwd=tree,
        # The tree is taken as files, whatever repository is around it.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


@contextmanager
def copies(count: int) -> Iterator[list[Path]]:
    """Trees to plant bugs in."""
    with tempfile.TemporaryDirectory(prefix="hub-mutants-") as folder:
        first = Path(folder) / "0"
        shutil.copytree(ROOT, first, ignore=_LEFT_BEHIND)
        # Known by their content: a patched file must not pass for the one compiled before.
        compileall.compile_dir(
            first / "hub", quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH
        )
        trees = [first, *(Path(folder) / str(n) for n in range(1, count))]
        for tree in trees[1:]:
            shutil.copytree(first, tree)
        yield trees


def run(tree: Path, tests: Sequence[str], patience_s: float) -> tuple[int | None, str]:
    """Pytest's exit code for these tests in the tree (None: no end was seen), and its words."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-rfE"]
    try:
        done = subprocess.run(
            [*command, "--tb=short", *tests],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def finder(code: int | None, words: str) -> str | None:
    """The test that found the bug, in the words of a run that stopped at the first; or None."""
    if code != _TESTS_FAILED:
        return None
    if failed := _FAILED.search(words):
        return failed[1]
    where = set(_WHERE.findall(words))
    if where == {"at teardown of"} and (ended := _ENDED_IN_ERROR.search(words)):
        return f"{ended[1]} (at its teardown)"
    return None


def plant(mutant: Mutant, tree: Path) -> Verdict:
    """Put the bug in place, look who finds it, take it away again."""
    started = time.monotonic()
    if complaint := apply(mutant, tree):
        return Verdict(mutant, caught=False, how=f"does not apply: {complaint}", seconds=0.0)
    code, words = run(tree, ["-x", *mutant.caught_by], PATIENCE_S)
    assert not apply(mutant, tree, "-R")
    seconds = time.monotonic() - started
    if found := finder(code, words):
        return Verdict(mutant, caught=True, how=found, seconds=seconds)
    if code == 0:
        return Verdict(mutant, caught=False, how="SURVIVED", seconds=seconds)
    why = "no end" if code is None else f"pytest ended with {code}: {words[-500:]}"
    return Verdict(mutant, caught=False, how=why, seconds=seconds)


def sick(tree: Path, mutants: Sequence[Mutant]) -> set[str]:
    """Which of the named tests fail without any bug of ours. Ends where they cannot be run."""
    named = sorted(set(itertools.chain.from_iterable(one.caught_by for one in mutants)))
    code, words = run(tree, named, PATIENCE_ALL_S)
    if code not in {0, _TESTS_FAILED}:
        raise SystemExit(f"{words[-3000:]}\nThe named tests cannot be run (pytest: {code}).")
    # A test named as a whole fails if it fails for one of its parameters.
    failed = {*_FAILED.findall(words), *_ENDED_IN_ERROR.findall(words)}
    return failed | {one.partition("[")[0] for one in failed}


def plant_all(mutants: Sequence[Mutant], trees: Sequence[Path]) -> Iterator[Verdict]:
    """One after the other in each tree, as they end."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(mutant: Mutant) -> Verdict:
        tree = free.get()
        try:
            return plant(mutant, tree)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for done in as_completed([pool.submit(one, mutant) for mutant in mutants]):
            yield done.result()


def show(verdict: Verdict) -> None:
    """One line of the table."""
    how = verdict.how if verdict.caught else f"MISSED: {verdict.how}"
    print(f"{verdict.mutant.name:<42} {verdict.seconds:>5.1f}  {how}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NN", default=[], help="these numbers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="side by side")
    args = parser.parse_args(argv)
    mutants = [one for one in table() if not args.only or one.number in args.only]
    if not mutants:
        parser.error("there is no such patch")
    began = time.monotonic()
    with copies(max(1, min(args.jobs, len(mutants)))) as trees:
        failing = sick(trees[0], mutants)
        useless = [one for one in mutants if failing & set(one.caught_by)]
        print(f"{'patch':<42} {'s':>5}  caught by")
        verdicts = [Verdict(one, False, "its test fails without it", 0.0) for one in useless]
        for verdict in verdicts:
            show(verdict)
        for verdict in plant_all([one for one in mutants if one not in useless], trees):
            verdicts.append(verdict)
            show(verdict)
    missed = [one.mutant for one in verdicts if not one.caught]
    for mutant in missed:
        print(f"\n{mutant.name}: {mutant.breaks}\n  {' '.join(mutant.caught_by)}")
    seconds = time.monotonic() - began
    print(f"\n{len(verdicts) - len(missed)} of {len(verdicts)} caught, {seconds:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
