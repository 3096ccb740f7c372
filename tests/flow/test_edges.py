"""Do people's decisions outweigh pixels, do crops join their whole, and collages nobody?"""

import pytest

from picdeed.flow.edges import doubts, edges
from picdeed.imaging.verify import PairKind
from picdeed.registry.codes import PairDecision
from picdeed.registry.similar import new_pair

A, B, C, D = (f"img_{letter * 64}" for letter in "abcd")


def pair(a, b, kind, review=()):
    first, _ = sorted((a, b))
    told = PairKind(kind) if first == a else PairKind(kind).turned
    return new_pair(a, b, kind=str(told), distance=0.1, evidence={"review": list(review)})


def decided(a, b, verdict, at="1"):
    x, y = sorted((a[4:], b[4:]))
    return PairDecision(id=at, a=x, b=y, verdict=verdict, by="Eve", because="", recorded_at=at)


def joined(pairs, decisions=()):
    return {(one.a, one.b, str(one.kind)) for one in edges(pairs, decisions).alike}


def test_copies_join_and_strangers_do_not():
    pairs = [pair(A, B, "near"), pair(A, C, "related"), pair(B, D, "unrelated")]
    assert joined(pairs) == {(A, B, "near")}


@pytest.mark.parametrize(
    ("verdict", "left"),
    [("not-a-match", set()), ("merge", {(A, B, "near")}), ("variant", {(A, B, "variant")})],
)
@pytest.mark.parametrize("kind", ["near", "related", "variant", "crop-of"])
def test_a_persons_word_outweighs_the_pixels(kind, verdict, left):
    assert joined([pair(A, B, kind)], [decided(B, A, verdict)]) == left


def test_a_merge_needs_no_candidate_and_the_later_word_counts():
    assert joined([], [decided(A, B, "merge")]) == {(A, B, "near")}
    assert joined([], [decided(A, B, "merge"), decided(A, B, "not-a-match", "2")]) == set()


def test_a_crop_joins_its_whole_whichever_way_it_is_told():
    assert joined([pair(A, B, "crop-of")]) == {(A, B, "near")}
    assert joined([pair(B, A, "crop-of")]) == {(A, B, "near")}


def test_who_contains_two_strangers_joins_neither():
    pairs = [pair(A, C, "crop-of"), pair(B, C, "crop-of")]
    found = edges(pairs, ())
    assert found.alike == ()
    assert found.several == ((C, A, B),)


def test_two_crops_that_are_copies_of_each_other_are_one():
    pairs = [pair(A, C, "crop-of"), pair(B, C, "crop-of"), pair(A, B, "near")]
    found = edges(pairs, ())
    assert found.several == ()
    assert {(one.a, one.b) for one in found.alike} == {(A, C), (B, C), (A, B)}


def test_doubts_that_hang_together_are_one_item():
    pairs = [
        pair(A, B, "related", ["part-differs"]),
        pair(B, C, "related", ["part-differs"]),
        pair(A, D, "related", ["colours-differ"]),
        pair(C, D, "related"),
    ]
    assert doubts(pairs, (), {}) == [
        ("colours-differ", (A, D)),
        ("part-differs", (A, B, C)),
    ]


def test_no_pair_is_asked_twice():
    pairs = [pair(A, B, "related", ["part-differs"])]
    for verdict in ("merge", "not-a-match", "variant"):
        assert doubts(pairs, [decided(A, B, verdict)], {}) == []
    assert doubts(pairs, (), {A: "clu", B: "clu"}) == []
