"""Do copies come together, and strangers stay apart?"""

from __future__ import annotations

from picdeed.imaging.clusters import PairOf, PartOf, cluster, parts
from picdeed.imaging.verify import PairKind

NEAR, SAME, VARIANT = PairKind.NEAR, PairKind.SAME_PIXELS, PairKind.VARIANT


def pairs(kind: PairKind, *twos: str) -> list[PairOf]:
    return [PairOf(two[0], two[1], kind, 0.01) for two in twos]


def shown(found) -> list[tuple[str, str, str]]:
    return [(one.kind.value, "".join(one.members), one.representative) for one in found]


def test_copies_of_one_picture_are_one_cluster():
    found = cluster("abcd", pairs(NEAR, "ab", "ac", "cb"))
    assert shown(found) == [("near", "abc", "a")]


def test_a_chain_is_split_around_its_representatives():
    # a~b~c~d: a and d were never found alike, and must not come together through b and c.
    found = cluster("abcd", pairs(NEAR, "ab", "bc", "cd"))
    assert shown(found) == [("near", "ab", "a"), ("near", "cd", "c")]


def test_a_second_test_may_admit_what_hangs_together_and_nothing_else():
    given = pairs(NEAR, "ab", "bc", "cd", "xy")
    admits = {("a", "c"), ("a", "x")}
    found = cluster("abcdxy", given, within=lambda head, node: (head, node) in admits)
    # x is no neighbour of a's neighbours; d is not admitted, and alone.
    assert shown(found) == [("near", "abc", "a"), ("near", "xy", "x")]


def test_parts_have_a_direction_and_join_nothing():
    given = [
        PairOf("a", "b", PairKind.CROP_OF, 0.1),
        PairOf("b", "a", PairKind.CONTAINS, 0.1),
        PairOf("b", "c", PairKind.CONTAINS, 0.1),
        PairOf("a", "z", PairKind.CROP_OF, 0.1),
    ]
    assert cluster("abc", given) == ()
    assert parts("abc", given) == (PartOf("a", "b"), PartOf("c", "b"))
    joined = cluster("abcd", [*given, *pairs(NEAR, "bd")])
    assert shown(joined) == [("near", "bd", "b")]


def test_the_rank_chooses_the_representative():
    found = cluster("abc", pairs(NEAR, "ab", "bc"), rank=lambda node: node != "b")
    assert shown(found) == [("near", "abc", "b")]


def test_a_cluster_is_of_same_pixels_only_when_all_are():
    both = pairs(SAME, "ab") + pairs(NEAR, "ac")
    assert shown(cluster("abc", both)) == [("near", "abc", "a")]
    assert shown(cluster("abc", pairs(SAME, "ab", "bc", "ac"))) == [("same-pixels", "abc", "a")]


def test_no_picture_stands_in_two_clusters_of_copies():
    found = cluster("abcdef", pairs(NEAR, "ab", "bc", "cd", "de", "ef", "ad"))
    members = [node for one in found for node in one.members]
    assert len(members) == len(set(members))


def test_variants_may_overlap_and_stay_out_of_the_copies():
    found = cluster("abcd", pairs(NEAR, "ab") + pairs(VARIANT, "ac", "bc", "ad"))
    assert ("near", "ab", "a") in shown(found)
    assert ("variant", "acd", "a") in shown(found)
    assert len(found) == 2


def test_order_does_not_matter_and_strangers_are_left_aside():
    given = pairs(NEAR, "ab", "cb") + pairs(PairKind.UNRELATED, "ad") + pairs(NEAR, "az", "aa")
    assert cluster("abcd", given) == cluster("dcba", list(reversed(given)))
    assert shown(cluster("abcd", given)) == [("near", "ab", "a")]
    assert cluster("ab", []) == ()
