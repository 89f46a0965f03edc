"""Expressions of an administrator: they say what they mean, and bombs end at once."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rest.loading import load
from connectors.rest.sandbox import BadExpression, Expression, NoValue, Text
from connectors.rest.source import BadDescription
from tests.connectors.test_descriptions import redmine

SCOPE = {
    "item": {"id": 7, "name": "Чек", "tags": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], "n": None},
    "many": [{"x": "y" * 1000}] * 900,
    "big": "x" * 500_000,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'007'", "007"),
        ("item.id + 1", 8),
        ("item.name ~ '-' ~ item.id", "Чек-7"),
        ("item.tags | where('id', 2) | pluck('v') | first", "b"),
        ("item.tags | where('id', 9) | pluck('v') | first", None),
        ("item.none | default('нет')", "нет"),
        ("item.none.deeper | default('нет')", "нет"),
        ("not item.n", True),
        ("'да' if item.id in [7, 8] else 'нет'", "да"),
        ("'a@b' | before('@')", "a"),
        ("item.name | upper | cut(2)", "Ч…"),
        ("'UHJpdmV0' | from_base64", "Privet"),
        ("item.tags[1:] | length", 1),
    ],
)
def test_an_expression_has_a_value_with_its_type(source, value) -> None:
    found = Expression(source).value(SCOPE)
    assert found == value
    assert type(found) is type(value)


BOMBS = [
    "'a' * 10**9",
    "9 ** 9 ** 9",
    "'%999999999d' | format(1)",
    "range(99999)",
    "big | replace('x', big)",
    "many | pluck('x') | join(big)",
    "item.name.format(item)",
    "''.__class__.__mro__",
    "item._secret",
    "(" * 1900 + "1" + ")" * 1900,
    "[" * 1900 + "]" * 1900,
    "1000000000 * 1000000000 * 1000000000",
    "'x' * 1000000",
    "cycler",
    "x" * 5000,
    "item.nope",
    "1 // 0",
    "not " * 900 + "1",
    "-" * 1500 + "1",
]
TEXT_BOMBS = [
    "{% for a in many %}{% for b in many %}x{% endfor %}{% endfor %}",
    "{% for a in many %}{{ big ~ big ~ big }}{% endfor %}",
    "{% for a in many %}{{ (big ~ big ~ big) | length }}{% endfor %}",
    "{% for a in many recursive %}{{ loop(many) }}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set a = big %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{{ lipsum(9999) }}",
    "{% filter upper %}{{ big }}{% endfilter %}",
    "{{ big | escape | replace('x', big) }}",
    "{{ big | center(99999999) }}",
    "{{ big | indent(99999999) }}",
    "{{ many | map('replace', 'y', big) | join }}",
]


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_in_an_expression_ends_at_once(source) -> None:
    begun = time.thread_time()  # of this thread alone: others may have the machine
    with pytest.raises((BadExpression, NoValue)):
        Expression(source).value(SCOPE)
    assert time.thread_time() - begun < 0.1


@pytest.mark.parametrize("source", TEXT_BOMBS, ids=range(len(TEXT_BOMBS)))
def test_a_bomb_in_a_text_ends_at_once(source) -> None:
    begun = time.thread_time()
    with pytest.raises((BadExpression, NoValue)):
        Text(source).value(SCOPE)
    assert time.thread_time() - begun < 0.1


def test_no_bomb_takes_memory() -> None:
    tracemalloc.start()
    try:
        for make, sources in ((Expression, BOMBS), (Text, TEXT_BOMBS)):
            for source in sources:
                with suppress(BadExpression, NoValue):
                    make(source).value(SCOPE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20, f"{peak / 2**20:.0f} MB"


@pytest.mark.parametrize(
    "source", ["'a' * 10**9", "'%999999999d' | format(1)", "range(99999)", "''.__class__"]
)
def test_a_bomb_in_a_description_is_a_mistake_with_its_place(source) -> None:
    with pytest.raises(BadDescription) as caught:
        load(redmine("not entry.private_notes", source), "redmine.yaml")
    assert str(caught.value.mistakes[0]).startswith("redmine.yaml:")


def test_a_value_in_an_address_cannot_leave_its_place() -> None:
    address = Text("/issues/{{ id }}/x?q={{ id }}", address=True)
    assert address.value({"id": "../users?a=b&c#d"}) == (
        "/issues/..%2Fusers%3Fa%3Db%26c%23d/x?q=..%2Fusers%3Fa%3Db%26c%23d"
    )
    assert address.value({"id": ".."}) == "/issues/%2E%2E/x?q=%2E%2E"


def test_an_empty_value_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(NoValue):
        Expression("item.nope").value(SCOPE)
    with pytest.raises(NoValue):
        Text("{{ item.nope }}").value(SCOPE)


@given(st.text(max_size=200))
def test_whatever_is_written_is_a_value_or_a_clear_error(source) -> None:
    for made in (Expression, Text):
        with suppress(BadExpression, NoValue):
            made(source).value(SCOPE)
