"""Whatever two parsers could read in two ways is refused, on the way in and on the way out."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Untrusted
from hub.protocol import strict_json
from tests.corpora import CORPORA, corpus

SUITE = CORPORA / "json-test-suite" / "test_parsing"

NOT_INTEGER = "fractions and exponents have no place: money and measures are integers"
DUPLICATE = "a duplicate member is read differently by different parsers"
NAME = "member names are [a-z][a-z0-9_]{0,63}"
NONCHARACTER = "RFC 7493 §2.1: noncharacters must not be sent"
NUL = "PostgreSQL cannot store U+0000"
REFUSED_THOUGH_VALID = {
    "y_number.json": NOT_INTEGER,
    "y_number_0e+1.json": NOT_INTEGER,
    "y_number_0e1.json": NOT_INTEGER,
    "y_number_double_close_to_zero.json": NOT_INTEGER,
    "y_number_int_with_exp.json": NOT_INTEGER,
    "y_number_real_capital_e.json": NOT_INTEGER,
    "y_number_real_capital_e_neg_exp.json": NOT_INTEGER,
    "y_number_real_capital_e_pos_exp.json": NOT_INTEGER,
    "y_number_real_exponent.json": NOT_INTEGER,
    "y_number_real_fraction_exponent.json": NOT_INTEGER,
    "y_number_real_neg_exp.json": NOT_INTEGER,
    "y_number_real_pos_exponent.json": NOT_INTEGER,
    "y_number_simple_real.json": NOT_INTEGER,
    "y_object_extreme_numbers.json": NOT_INTEGER,
    "y_structure_lonely_negative_real.json": NOT_INTEGER,
    "y_object_duplicated_key.json": DUPLICATE,
    "y_object_duplicated_key_and_value.json": DUPLICATE,
    "y_object_empty_key.json": NAME,
    "y_object_escaped_null_in_key.json": NAME,
    "y_string_escaped_noncharacter.json": NONCHARACTER,
    "y_string_last_surrogates_1_and_2.json": NONCHARACTER + " (the pair is U+10FFFF)",
    "y_string_nonCharacterInUTF-8_U+10FFFF.json": NONCHARACTER,
    "y_string_nonCharacterInUTF-8_U+FFFF.json": NONCHARACTER,
    "y_string_unicode_U+10FFFE_nonchar.json": NONCHARACTER,
    "y_string_unicode_U+1FFFE_nonchar.json": NONCHARACTER,
    "y_string_unicode_U+FDD0_nonchar.json": NONCHARACTER,
    "y_string_unicode_U+FFFE_nonchar.json": NONCHARACTER,
    "y_string_null_escape.json": NUL,
}
"""Valid JSON that we refuse, each with the reason. Every other y_ file is accepted."""

REFUSED_WHERE_FREE = {
    "number": "out of the range of integers, or no integer",
    "object_key_lone": NAME,
    "string": "not UTF-8, or a lone surrogate: not a sequence of characters at all",
    "structure_500_nested": "deeper than 16 levels",
    "structure_UTF-8_BOM": "a byte order mark would change the hash of the same document",
}
"""Why no file of the i_ group, where the standard leaves the choice, is accepted."""


def suite(group: str) -> list[Any]:
    names = sorted(path.name for path in SUITE.glob(f"{group}_*"))
    return names or [pytest.param("", marks=pytest.mark.skip("corpus json-test-suite is absent"))]


def accepts(document: bytes | str) -> bool:
    try:
        strict_json.parse(document, max_bytes=10_000_000)
    except Untrusted as error:
        return error.code != "malformed"  # another code would be as wrong as accepting
    return True


def as_member(path: Path) -> bytes:
    """The file as the value of a member: our top level is an object, most files are arrays."""
    return b'{"v":' + path.read_bytes() + b"}"


@pytest.mark.parametrize("name", suite("n"))
def test_invalid_json_is_refused(name: str) -> None:
    path = SUITE / name
    assert not accepts(path.read_bytes())
    assert not accepts(as_member(path))


@pytest.mark.parametrize("name", suite("y"))
def test_valid_json_is_accepted_unless_we_say_why_not(name: str) -> None:
    path = SUITE / name
    accepted = accepts(as_member(path))
    assert accepted == (name not in REFUSED_THOUGH_VALID)
    if accepted:
        assert strict_json.parse(as_member(path), max_bytes=10_000) == json.loads(as_member(path))


@pytest.mark.parametrize("name", suite("i"))
def test_where_the_standard_leaves_the_choice_we_refuse(name: str) -> None:
    assert any(name.startswith(f"i_{group}") for group in REFUSED_WHERE_FREE)
    assert not accepts(as_member(SUITE / name))
    assert not accepts((SUITE / name).read_bytes())


def test_every_exception_names_a_file_of_the_suite() -> None:
    folder = corpus("json-test-suite", "test_parsing")
    assert {name for name in REFUSED_THOUGH_VALID if not (folder / name).exists()} == set()


@pytest.mark.parametrize(
    "document",
    [
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
        '{"x":{"a":1,"b":2,"a":1}}',
        '{"v":[{"a":1,"a":1}]}',
    ],
)
def test_a_duplicate_member_is_refused_however_it_is_spelled(document: str) -> None:
    assert not accepts(document)


@pytest.mark.parametrize(
    "document",
    ["[]", "1", '"a"', "null", "", " ", "{}{}", "{} x", "\ufeff{}", "{}\x00", "{},", "\x0c{}"],
)
def test_anything_but_one_object_is_refused(document: str) -> None:
    assert not accepts(document)


@pytest.mark.parametrize(
    "value",
    [
        "9007199254740992",
        "-9007199254740992",
        "1e2",
        "1.0",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "01",
        "+1",
        "0x1",
        "1" * 5000,
    ],
)
def test_a_number_outside_our_integers_is_refused(value: str) -> None:
    assert not accepts(f'{{"v":{value}}}')


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 0, -1])
def test_every_integer_that_a_double_holds_exactly_is_accepted(value: int) -> None:
    assert strict_json.parse(f'{{"v":{value}}}', max_bytes=99) == {"v": value}


@pytest.mark.parametrize(
    "name", ["A", "1a", "", "a-b", "a.b", "ä", "a" * 65, "_a", "a\\u0000", "a\n"]
)
def test_a_strange_member_name_is_refused(name: str) -> None:
    assert not accepts(f'{{"{name}":1}}')


def test_a_member_name_of_64_characters_is_accepted() -> None:
    assert accepts(f'{{"{"a" * 64}":1}}')


@pytest.mark.parametrize(
    "text",
    [
        "\\ud800",
        "\\udfff",
        "a\\ud83d",
        "\\udc00\\ud800",
        "\\u0000",
        "\\uffff",
        "\uffff",
        "\ufdd0",
        "\U0001ffff",
        "\\ud83f\\udffe",
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(text: str) -> None:
    assert not accepts(f'{{"v":"{text}"}}')
    assert not accepts(f'{{"v":["{text}"]}}')


@pytest.mark.parametrize(
    "text", ["\ufffd", "\uefff", "\ufdcf", "\ufdf0", "한국어", "\\ud83d\\ude00", "￼"]
)
def test_an_ordinary_text_near_the_forbidden_ones_is_accepted(text: str) -> None:
    assert accepts(f'{{"v":"{text}"}}')


def test_a_str_with_a_lone_surrogate_is_refused_and_not_a_crash() -> None:
    assert not accepts('{"v":"\ud800"}')


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_sixteen_levels_are_accepted_and_seventeen_are_not(opening: str, closing: str) -> None:
    def nested(levels: int) -> str:
        return '{"v":' + opening * (levels - 1) + "0" + closing * (levels - 1) + "}"

    assert accepts(nested(16))
    assert not accepts(nested(17))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("levels", [900, 10_000, 1_000_000])
def test_deep_nesting_never_raises_a_recursion_error(opening: str, levels: int) -> None:
    assert not accepts('{"v":' + opening * levels)


def test_deep_nesting_is_refused_even_where_the_stack_is_nearly_full() -> None:
    def dig(levels: int) -> None:
        if levels:
            dig(levels - 1)
        else:
            assert not accepts('{"v":' + "[" * 10_000)

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    dig(sys.getrecursionlimit() - used - 60)


def test_the_size_limit_counts_bytes_and_not_characters() -> None:
    document = '{"v":"яя"}'
    assert strict_json.parse(document, max_bytes=12)
    for given_as in (document, document.encode()):
        with pytest.raises(Untrusted, match="longer than 11 bytes"):
            strict_json.parse(given_as, max_bytes=11)


def test_the_refusal_tells_nothing_of_the_foreign_text() -> None:
    with pytest.raises(Untrusted) as caught:
        strict_json.parse(b'{"secret":"very secret",}', max_bytes=100)
    assert "secret" not in caught.value.told
    assert caught.value.__cause__ is None


names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
texts = st.text(max_size=20).map(strict_json.clean)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, values, max_size=4))
def test_what_is_written_is_read_back_as_the_same(value: dict[str, Any]) -> None:
    written = strict_json.dump(value)
    assert strict_json.parse(written, max_bytes=1_000_000) == value
    assert strict_json.parse(written.encode(), max_bytes=1_000_000) == value


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(data: bytes) -> None:
    accepts(data)
    accepts(b'{"v":' + data + b"}")


@pytest.mark.parametrize(
    "value",
    [
        {"v": 1.5}, {"v": float("nan")}, {"v": 2**53}, {"v": "\ud800"}, {"v": "\x00"},
        {"v": ["\uffff"]}, {"V": 1}, {1: 1}, {"v": {"": 1}}, {"v": (1, 2)}, {"v": b"x"},
        {"v": {1, 2}},
    ],
)  # fmt: skip
def test_what_strict_json_cannot_hold_is_not_written(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        strict_json.dump(value)


def test_a_value_that_holds_itself_is_not_written() -> None:
    value: dict[str, Any] = {}
    value["v"] = value
    with pytest.raises(ValueError, match="levels deep"):
        strict_json.dump(value)


def test_an_enumeration_is_written_as_its_text() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert strict_json.dump({"v": Colour.RED}) == '{"v":"red"}'


def test_mending_replaces_what_cannot_be_sent_and_nothing_else() -> None:
    pasted = {"a": "naïve \x00 \ud800 \ufffe 🙂", "b": ["\udfff", 1, None, {"c": "\ufdd0"}]}
    mended = {"a": "naïve \ufffd \ufffd \ufffd 🙂", "b": ["\ufffd", 1, None, {"c": "\ufffd"}]}
    written = strict_json.dump(pasted, mend=True)
    assert strict_json.parse(written, max_bytes=1000) == mended


def test_the_memory_for_member_names_is_bounded() -> None:
    for number in range(strict_json._MAX_NAMES + 50):
        assert accepts(f'{{"n{number}":1}}')
    assert len(strict_json._names) <= strict_json._MAX_NAMES
    assert accepts('{"a_name_after_the_limit":1}')
    assert not accepts('{"A name after the limit":1}')
