"""What a description may say, and how its mistakes are told: with the place and a better word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from connectors.registry import TEMPLATES, template
from connectors.rest.loading import load
from connectors.rest.source import BadDescription
from hub.i18n import gettext, reading_in
from tools import desk_schema

FOLDER = Path(__file__).parents[2] / "connectors" / "desks"


def mistakes(text: str) -> list[str]:
    with pytest.raises(BadDescription) as caught:
        load(text, "redmine.yaml")
    return [str(one) for one in caught.value.mistakes]


def redmine(old: str, new: str) -> str:
    text = template("redmine")
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_loads_and_says_what_it_was_tried_against(name) -> None:
    description = load(template(name), f"{name}.yaml")
    assert description.desk == name
    assert all(one.against and one.how in ("real", "simulator") for one in description.tried)


def test_every_file_of_the_folder_is_in_the_table() -> None:
    assert sorted(one.stem for one in FOLDER.glob("*.yaml")) == sorted(TEMPLATES)


def test_the_schema_for_editors_is_the_one_the_code_has() -> None:
    assert desk_schema.TARGET.read_text("utf-8") == desk_schema.schema()


@pytest.mark.parametrize("name", TEMPLATES)
def test_editors_and_the_hub_give_the_same_verdict_on_a_template(name) -> None:
    schema = json.loads(desk_schema.TARGET.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(
        YAML(typ="safe", pure=True).load(template(name))
    )


def place(text: str, needle: str) -> str:
    line = next(number for number, said in enumerate(text.splitlines(), 1) if needle in said)
    column = text.splitlines()[line - 1].index(needle) + 1
    return f"redmine.yaml:{line}:{column}"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "  title: item.subject",
            "  titel: item.subject",
            "unknown key titel; did you mean title?",
        ),
        ("kind: offset,", "kind: offst,", "did you mean offset?"),
        ("secret.api_key", "secret.apikey", "there is no secret apikey; did you mean api_key?"),
        ("map: status", "map: statsu", "there is no table statsu; did you mean status?"),
        ("items: item.journals", "items: itm.journals", "unknown name itm; did you mean item?"),
        ("cancelled: 6}", "cancelled: 5}", "both closed and cancelled are written so"),
        ("silent: [open]", "silent: []", "open: neither in both nor silent"),
        ("silent: [open]", "silent: [opn]", "opn: this is no word of ours; did you mean open?"),
        ("not entry.private_notes", "not entry.private_notes(", "unexpected 'end of template'"),
        ("not entry.private_notes", "entry.delete()", "call is not allowed here"),
        ("by: time", "by: tim", "did you mean time?"),
        ("  id: item.id\n", "", "id is missing"),
        ("'get: /projects", "'get: /projects", ""),
    ][:-1],
)
def test_a_mistake_is_told_with_its_place_and_a_better_word(old, new, told) -> None:
    found = mistakes(redmine(old, new))
    assert any(told in one for one in found), found
    assert all(one.startswith("redmine.yaml:") and one.split(":")[1].isdigit() for one in found)


def test_a_misspelt_key_is_told_at_its_line_and_column() -> None:
    text = redmine("  title: item.subject", "  titel: item.subject")
    line = text[: text.index("titel")].count("\n") + 1
    assert any(
        one.startswith(f"redmine.yaml:{line}:10 unknown key titel") for one in mistakes(text)
    )


def test_a_key_given_twice_is_refused() -> None:
    found = mistakes(redmine("maps:\n", "maps:\n  status:\n    both: {}\n"))
    assert len(found) == 1
    assert 'duplicate key "status"' in found[0]


def test_no_is_a_word_as_in_yaml_1_2() -> None:
    text = template("redmine").replace("label: Address", "label: no", 1)
    assert load(text, "redmine.yaml").settings["url"].label == "no"


def test_all_mistakes_are_told_at_once() -> None:
    text = redmine("title: item.subject", "titel: x").replace("by: time", "by: tim")
    assert len(mistakes(text)) >= 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "a: !!python/object/apply:os.system ['true']",
        "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        + "".join(
            f"c{n}: &c{n} [{','.join(['*' + ('b' if n == 0 else f'c{n - 1}')] * 9)}]\n"
            for n in range(8)
        ),
        "[" * 5000,
        "a: " + "x" * 300_000,
        "a: {b: [c",
    ],
    ids=["empty", "list", "tag", "billion laughs", "deep", "large", "unfinished"],
)
def test_what_is_no_description_is_refused_in_one_line(text) -> None:
    found = mistakes(text)
    assert found
    assert all("\n" not in one for one in found)


def test_content_needs_a_signature() -> None:
    hook = "hook: {signature: {kind: none}, ticket: body.id, carries: true}\n"
    assert any("not signed" in one for one in mistakes(template("redmine") + hook))


def test_mistakes_are_told_in_the_language_of_the_reader() -> None:
    text = redmine("map: status", "map: statsu").replace("silent: [open]", "silent: []")
    with pytest.raises(BadDescription) as caught:
        load(text, "redmine.yaml")
    with reading_in("ru"):
        told = [one.in_words(gettext) for one in caught.value.mistakes]
    assert [one.split(" ", 1)[1] for one in told] == [
        "open: нет ни в both, ни в silent",
        "нет таблицы statsu; может быть, status?",
    ]
    assert [one.split(" ", 1)[0] for one in told] == [
        str(one).split(" ", 1)[0] for one in caught.value.mistakes
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_tells_people_is_told_in_their_language(name) -> None:
    it = load(template(name), f"{name}.yaml")
    said = [one.label for one in (*it.settings.values(), *it.secrets.values())]
    said += [text for one in it.checks for text in (one.told, one.cure) if text]
    with reading_in("ru"):
        for text in (*said, it.notes):
            assert re.search("[а-яё]", gettext(text)), text
