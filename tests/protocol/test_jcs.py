"""The library we canonicalise with agrees with the vectors of RFC 8785."""

from __future__ import annotations

import json

import pytest
import rfc8785

from tests.corpora import corpus


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_a_vector_is_canonicalised_to_the_expected_bytes(name: str) -> None:
    given = json.loads(corpus("jcs", "testdata", "input", f"{name}.json").read_bytes())
    expected = corpus("jcs", "testdata", "output", f"{name}.json").read_bytes()
    in_hex = corpus("jcs", "testdata", "outhex", f"{name}.txt").read_text()
    assert rfc8785.dumps(given) == expected.rstrip(b"\n")
    assert rfc8785.dumps(given) == bytes.fromhex(in_hex)
