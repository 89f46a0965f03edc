"""Where the public test corpora are. A test that needs one is skipped, visibly, without it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("HUB_CORPORA") or ROOT.parent / "shared" / "corpora")


def corpus(*parts: str) -> Path:
    """A file or folder of the corpora. Skips the test where it is absent."""
    path = CORPORA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"corpus {'/'.join(parts)} is absent: set HUB_CORPORA")
    return path


def corpus_json(*parts: str) -> Any:
    """The parsed JSON of one file of the corpora."""
    return json.loads(corpus(*parts).read_bytes())
