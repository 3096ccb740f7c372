"""In which order is a person asked, and how do evidence and direction read?"""

from __future__ import annotations

from picdeed.flow.dedup import Copies, Deduped, Doubt
from picdeed.registry.claims import new_claim
from picdeed.registry.similar import new_pair
from picdeed_ui import laid
from picdeed_ui.parts import asked, clusters, comparing


def claim(kind, raw):
    said = {"kind": kind, "raw": raw, "parsed": raw, "status": "parsed", "parser": "spdx"}
    return new_claim("img_x", source="person", observed_at="2026-01-01T00:00:00Z", **said)


def test_the_member_that_is_claimed_otherwise_stands_beside_the_keeper():
    group = Copies("clu_1", "img_b", ("img_a", "img_b", "img_c", "img_d"), "near", ())
    claims = {
        "img_a": [claim("license", "MIT"), claim("opt-out", "one")],
        "img_b": [claim("license", "CC0-1.0")],
        "img_c": [claim("license", "CC0-1.0"), claim("opt-out", "another")],
    }
    review = tuple(Doubt(group.members, kind, "") for kind in ("opt-out", "licenses-differ", "new"))
    found = asked.items(Deduped((group,), review, 0), [], claims)
    assert found[0].pairs == (("img_b", "img_a"), ("img_b", "img_c"))
    # A copy without a licence says nothing against one.
    assert found[1].pairs == (("img_b", "img_a"),)
    # Nothing known tells them apart: all are shown.
    assert found[2].pairs == (("img_b", "img_a"), ("img_b", "img_c"), ("img_b", "img_d"))


def test_doubted_pairs_come_most_alike_first_and_whole_on_the_left():
    def pair(a, b, distance, *review, kind="related"):
        return new_pair(a, b, kind=kind, distance=distance, evidence={"review": list(review)})

    group = Copies("clu_1", "img_c", ("img_c", "img_d"), "near", ())
    pairs = [
        pair("img_a", "img_b", 0.3, "overlap"),
        pair("img_b", "img_c", 0.1, "overlap", kind="crop-of"),
        pair("img_a", "img_c", 0.2, "few-tones", "overlap"),
        pair("img_c", "img_d", 0.0, "overlap"),
    ]
    doubt = Doubt(("img_a", "img_b", "img_c", "img_d"), "overlap", "")
    (item,) = asked.items(Deduped((group,), (doubt,), 0), pairs, {})
    assert item.pairs == (("img_c", "img_b"), ("img_a", "img_b"))


def test_crops_have_a_direction():
    group = Copies("clu_1", "img_b", ("img_a", "img_b", "img_c"), "near", ())
    pairs = {
        ("img_a", "img_b"): new_pair("img_a", "img_b", kind="crop-of", distance=0, evidence={}),
        ("img_b", "img_c"): new_pair("img_b", "img_c", kind="crop-of", distance=0, evidence={}),
    }
    assert clusters.relation("img_a", group, pairs) == "a crop of it"
    assert clusters.relation("img_c", group, pairs) == "shows more"
    assert clusters.relation("img_b", group, pairs) == "stands"
    assert clusters.relation("img_z", group, pairs) == "not compared with it"


def test_evidence_in_words_is_told_from_the_left():
    evidence = {
        "overlap": [0.3, 1.0],
        "blocks": 40,
        "share": 0.95,
        "inliers": 31,
        "edit": "cropped",
    }
    told = dict(
        comparing.in_words(
            laid.Seen(comparing.PairKind.CROP_OF, 0.05, evidence, swapped=True, recorded=True)
        )
    )
    assert told["They are"] == "the left one is a part of the right one"
    assert told["Cover"] == "100 % of the left one, 30 % of the right one"
    assert told["Blocks"] == "95 % of 40 compared blocks agree"
    assert told["Placed by"] == "31 corners that lie alike in both"


def test_the_pair_that_was_left_comes_before_the_next_item():
    one = asked.Item("overlap", "", ("a", "b", "c"), (("a", "b"), ("b", "c")))
    two = asked.Item("overlap", "", ("d", "e"), (("d", "e"),))
    rest = asked.Item("overlap", "", ("b", "c"), (("b", "c"),))
    assert asked.following((one, two), 0, (rest, two)) == (rest, ("b", "c"))
    assert asked.following((one, two), 0, (two,)) == (two, ("d", "e"))
    assert asked.following((one, two), 1, (one,)) is None


def test_a_picture_with_one_part_left_no_longer_contains_several():
    one = asked.Item("contains-several", "", ("w", "a", "b"), (("w", "a"), ("w", "b")))
    assert asked.still_open([one], set()) == (one,)
    assert asked.still_open([one], {("a", "w")}) == ()
