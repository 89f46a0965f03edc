"""Tables between words: the checker lets none pass that loses an edit or swings."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.rest.value_maps import SILENT, ValueMap, check, check_path, check_peer

OURS = ("new", "open", "done", "closed")
THEIRS = ("1", "2", "3", "4", "5")
PEERS = ("p1", "p2", "p3", "p4")

words = st.sampled_from(OURS)
random_maps = st.builds(
    ValueMap,
    st.dictionaries(words, st.sampled_from(THEIRS)),
    st.dictionaries(st.sampled_from(THEIRS), words),
    st.frozensets(words),
)


@st.composite
def sound_maps(draw):
    """Maps as a careful person writes them."""
    told = draw(st.lists(words, unique=True))
    there = draw(st.permutations(THEIRS))
    both = dict(zip(told, there, strict=False))
    read = {one: draw(words) for one in there[len(told) :]}
    return ValueMap(both, read, frozenset(set(OURS) - set(told)))


@dataclass
class Chain:
    """Desk, hub, peer, its desk: every edit travels outwards, every echo comes back unrecognised."""

    near: ValueMap
    there: dict[str, str]
    far: ValueMap
    a_desk: str = ""
    a: str = ""
    b: str = ""
    b_desk: str = ""
    turns: int = 0

    def desk_a_edits(self, word: str) -> None:
        self.a_desk = word
        self.settle()

    def settle(self) -> None:
        """Tell everybody until nobody has news; unequal means are told on, as they are."""
        for self.turns in range(12):
            before = (self.a_desk, self.a, self.b, self.b_desk)
            self.step()
            if before == (self.a_desk, self.a, self.b, self.b_desk):
                return
        raise AssertionError("it swings")

    def step(self) -> None:
        back = {meant: word for word, meant in self.there.items()}
        meaning = self.near.meaning(self.a_desk)
        if meaning is not None:
            self.a = meaning  # the desk's word, read again
        if self.a in self.there:
            self.b = self.there[self.a]
        told = self.far.written(self.b)
        if told not in (None, SILENT) and self.far.meaning(self.b_desk) != self.b:
            self.b_desk = str(told)
        # The echo: the far desk reports what it has, back through both hubs.
        heard = self.far.meaning(self.b_desk)
        if heard is not None and told not in (None, SILENT):
            self.b = heard
        if self.b in back:
            self.a = back[self.b]
        told = self.near.written(self.a)
        if told not in (None, SILENT) and self.near.meaning(self.a_desk) != self.a:
            self.a_desk = str(told)


@settings(max_examples=400)
@given(random_maps, st.sampled_from(OURS))
def test_a_map_that_passes_brings_every_word_back_as_it_went(table, word) -> None:
    if check(table, OURS):
        return
    told = table.written(word)
    assert told is SILENT or table.meaning(told) == word


@settings(max_examples=300)
@given(sound_maps())
def test_a_careful_map_passes(table) -> None:
    assert check(table, OURS) == []


@settings(max_examples=400)
@given(
    st.one_of(sound_maps(), random_maps),
    st.dictionaries(words, st.sampled_from(PEERS)),
    st.data(),
)
def test_a_path_that_passes_neither_loses_nor_swings(near, there, data) -> None:
    far = ValueMap({meant: str(n) for n, meant in enumerate(dict.fromkeys(there.values()), 1)})
    if check_path(near, there, far, ours=OURS):
        return
    chain = Chain(near, there, far)
    for word in data.draw(st.lists(st.sampled_from(sorted(near.reading()) or ["-"]), max_size=6)):
        chain.desk_a_edits(word)
        meant = near.meaning(word)
        if meant is not None:
            assert chain.a == meant
            assert chain.b == there[meant]
            assert far.meaning(chain.b_desk) == chain.b
            assert near.meaning(chain.a_desk) == meant


def test_two_words_with_one_translation_are_refused() -> None:
    found = check(ValueMap({"new": "1", "open": "1"}, {}, ("done", "closed")), OURS)
    assert [one.rule for one in found] == ["not_one_to_one"]


def test_a_word_without_translation_must_be_silent_on_purpose() -> None:
    assert [one.word for one in check(ValueMap({"new": "1"}, {}, ("done",)), OURS)] == [
        "open",
        "closed",
    ]


def test_what_the_desk_has_and_no_row_reads_is_refused() -> None:
    table = ValueMap({"new": "1"}, {}, ("open", "done", "closed"))
    assert [one.word for one in check(table, OURS, theirs=("1", "2"))] == ["2"]


def test_a_table_between_hubs_must_be_its_own_way_back() -> None:
    assert check_peer({"new": "p1", "open": "p1"}, {"p1": "new"})
    assert not check_peer({"new": "p1", "open": "p2"}, {"p1": "new", "p2": "open"})
