"""Tables between words: the checker lets none pass that loses an edit or swings."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
def sound_maps(draw, ours=OURS):
    """Maps as a careful person writes them."""
    told = draw(st.lists(st.sampled_from(ours), unique=True))
    there = draw(st.permutations(THEIRS))
    both = dict(zip(told, there, strict=False))
    read = {one: draw(st.sampled_from(ours)) for one in there[len(told) :]}
    return ValueMap(both, read, frozenset(set(ours) - set(told)))


@st.composite
def sound_paths(draw):
    """A whole way that loses nothing: desk, hub, peer, its desk."""
    there = dict(zip(OURS, draw(st.permutations(PEERS)), strict=True))
    return draw(sound_maps()), there, draw(sound_maps(PEERS))


@st.composite
def broken_paths(draw):
    """A sound way with one thing wrong in it, as people make mistakes in tables."""
    near, there, far = draw(sound_paths())
    table, ours = draw(st.sampled_from([(near, OURS), (far, PEERS)]))
    both, read, silent = dict(table.both), dict(table.read), frozenset(table.silent)
    ways = ["peer has no word", "two words for the peer's one"]
    ways += ["forgotten"] if silent else []
    ways += ["two words for one"] if len(both) > 1 else []
    ways += ["read as another"] if len(both) > 1 else []
    wrong = draw(st.sampled_from(ways))
    if wrong == "forgotten":
        silent -= {draw(st.sampled_from(sorted(silent)))}
    elif wrong == "two words for one":
        one, other = draw(st.permutations(sorted(both)))[:2]
        both[one] = both[other]
    elif wrong == "read as another":
        one, other = draw(st.permutations(sorted(both)))[:2]
        read[both[one]] = other
    elif wrong == "peer has no word":
        del there[draw(st.sampled_from(OURS))]
    else:
        one, other = draw(st.permutations(OURS))[:2]
        there[one] = there[other]
    broken = ValueMap(both, read, silent)
    return (broken, there, far) if ours is OURS else (near, there, broken)


@dataclass
class Chain:
    """Desk, hub, peer, its desk: every edit travels to the other end, every echo comes back.

    Nobody recognises an echo here, so what keeps it from swinging are the tables alone.
    """

    near: ValueMap
    there: dict[str, str]
    far: ValueMap
    a_desk: str = ""
    a: str = ""
    b: str = ""
    b_desk: str = ""

    def mirrored(self) -> Chain:
        """The same, seen from the other end."""
        back = {meant: word for word, meant in self.there.items()}
        return Chain(self.far, back, self.near, self.b_desk, self.b, self.a, self.a_desk)

    def edited_here(self, word: str) -> Chain:
        """A person sets it at the near desk; then everybody tells until nobody has news."""
        now = replace(self, a_desk=word)
        for _ in range(12):
            after = now.told()
            if after == now:
                return now
            now = after
        raise AssertionError("it swings")

    def edited_there(self, word: str) -> Chain:
        """The same at the far desk."""
        return self.mirrored().edited_here(word).mirrored()

    def told(self) -> Chain:
        """Once outwards and once back."""
        a = self.near.meaning(self.a_desk) or self.a
        b = self.there.get(a, self.b)
        b_desk = _written(self.far, b, self.b_desk)
        if self.far.written(b) not in (None, SILENT):  # the far desk says what it has
            b = self.far.meaning(b_desk) or b
        a = self.mirrored().there.get(b, a)
        return replace(self, a=a, b=b, b_desk=b_desk, a_desk=_written(self.near, a, self.a_desk))


def _written(table: ValueMap, ours: str, there: str) -> str:
    """The word over there once ours was told: left alone where it means that already."""
    said = table.written(ours)
    if said in (None, SILENT) or table.meaning(there) == ours:
        return there
    return str(said)


@settings(max_examples=200)
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


@settings(max_examples=300)
@given(sound_paths())
def test_a_careful_path_passes(path) -> None:
    near, there, far = path
    assert check_path(near, there, far, ours=OURS) == []


@settings(max_examples=300)
@given(broken_paths())
def test_a_path_with_one_mistake_in_it_is_refused(path) -> None:
    near, there, far = path
    assert check_path(near, there, far, ours=OURS)


random_paths = st.tuples(
    random_maps,
    st.dictionaries(words, st.sampled_from(PEERS)),
    st.builds(
        ValueMap,
        st.dictionaries(st.sampled_from(PEERS), st.sampled_from(THEIRS)),
        st.dictionaries(st.sampled_from(THEIRS), st.sampled_from(PEERS)),
        st.frozensets(st.sampled_from(PEERS)),
    ),
)
edits = st.lists(st.tuples(st.booleans(), st.sampled_from(THEIRS)), min_size=1, max_size=6)


@settings(max_examples=300)
@given(st.one_of(sound_paths(), broken_paths(), random_paths), edits)
def test_a_path_that_passes_neither_loses_nor_swings_whoever_edits(path, said) -> None:
    near, there, far = path
    if check_path(near, there, far, ours=OURS):
        return
    chain = Chain(near, there, far)
    for here, word in said:
        meant = (near if here else far).meaning(word)
        if meant is None:  # shown to a person
            continue
        chain = chain.edited_here(word) if here else chain.edited_there(word)
        assert (chain.a if here else chain.b) == meant
        assert chain.b == there[chain.a]
        for table, hub, desk in ((near, chain.a, chain.a_desk), (far, chain.b, chain.b_desk)):
            assert table.written(hub) is SILENT or table.meaning(desk) == hub


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
