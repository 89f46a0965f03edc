"""HTML of strangers: cleaned for showing, and turned into text.

What remains has no script, no style, no form and nothing that is fetched from elsewhere: pictures
are shown only where they came with the letter (`cid:`).
"""

from __future__ import annotations

import re
from typing import Final

import nh3
from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

HTML_MAX: Final = 512 * 1024  # characters that are looked at
_DEPTH_MAX: Final = 300  # elements within elements

_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "u",
        "ul",
    ]
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
_GONE_WHOLE: Final = {"script", "style", "title", "head", "template", "noscript", "xml"}
_PLAIN: Final = ParserConfig(display_links=False, display_images=False)


def cleaned(html: str) -> str:
    """The part of it that may be shown."""
    html = html[:HTML_MAX]
    if _depth(html) > _DEPTH_MAX:
        # Every parser of HTML takes the square of the depth: only the words are kept.
        html = re.sub(r"<[^<>]{0,2000}>", " ", html)
    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=_GONE_WHOLE,
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_own_pictures,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def _own_pictures(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not value.lower().startswith("cid:"):
        return None
    if tag == "a" and value.lower().startswith("cid:"):
        return None
    return value


def as_text(html: str) -> str:
    """What it says, with lists and tables laid out; quoted blocks begin with `> `."""
    clean = cleaned(html)
    try:
        return str(get_text(f"<html><body>{clean}</body></html>", _PLAIN))
    except (LxmlError, RecursionError, ValueError, AssertionError):
        pass
    # What cannot be laid out is still readable without its tags.
    bare = nh3.clean(re.sub(r"<(?:br|/p|/div|/tr|/li)[^<>]{0,50}>", "\n", clean), tags=set())
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")):
        bare = bare.replace(entity, sign)
    return bare


_NEVER_DEEP: Final = frozenset(
    [
        "br",
        "hr",
        "img",
        "col",
        "p",
        "li",
        "td",
        "tr",
        "th",
        "dt",
        "dd",
        "input",
        "meta",
        "link",
        "area",
        "base",
        "embed",
        "o:p",
        "option",
    ]
)
"""Elements that end by themselves where the next one begins."""


def _depth(html: str) -> int:
    deepest = depth = 0
    for closing, tag in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,20})", html):
        if tag.lower() in _NEVER_DEEP:
            continue
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest
