"""Who may be one picture, as pairs, clusters and people say it, through pictures elsewhere too?"""

from __future__ import annotations

import pytest

from picdeed.core.events import Event
from picdeed.flow import pipeline
from picdeed.flow.kin import Kin, kin
from picdeed.imaging.verify import PairKind
from picdeed.registry import ledger, pictures
from picdeed.registry.codes import PairVerdict
from picdeed.registry.similar import Cluster, ClusterMember, cluster_id, new_pair


@pytest.fixture
def ids(filled):
    with filled.read() as session:
        return sorted(pictures.all_ids(session))


@pytest.fixture
def paired(filled, ids):
    """Records pairs by place: `paired((0, 1, "near"), (2, 3, "related", "part-differs"))`."""

    def record(*given):
        rows = []
        for a, b, kind, *review in given:
            told = str(PairKind(kind) if a < b else PairKind(kind).turned)
            evidence = {"review": review} if review else {}
            rows.append(new_pair(ids[a], ids[b], kind=told, distance=0.1, evidence=evidence))
        with filled.write() as session:
            ledger.write(session, Event.DEDUP_FINGERPRINTED, {"pairs": len(rows)}, rows)

    return record


@pytest.fixture
def clustered(filled, ids):
    """Records a cluster as it stands, whatever the pairs say."""

    def record(*places):
        members = [ids[at] for at in places]
        name = cluster_id("near", members)
        rows = [Cluster(id=name, kind="near", keeper=members[0])]
        rows += [ClusterMember(cluster_id=name, picture_id=one) for one in members]
        with filled.write() as session:
            ledger.write(session, Event.DEDUP_CLUSTERED, {"clusters": 1}, rows)

    return record


@pytest.fixture
def known(filled, ids):
    """(groups, copies) among these places, as places."""

    def ask(*places):
        with filled.read() as session:
            found = kin(session, [ids[at] for at in places or range(8)])
        place = {one: at for at, one in enumerate(ids)}
        return tuple(
            tuple(tuple(place[one] for one in group) for group in groups)
            for groups in (found.groups, found.copies)
        )

    return ask


@pytest.mark.parametrize("kind", ["same-pixels", "near", "crop-of", "contains", "variant"])
def test_alike_pictures_are_kin(paired, known, kind):
    paired((0, 1, kind), (2, 3, "related"), (4, 5, "unrelated"))
    assert known() == (((0, 1),), ())
    assert known(0, 2) == ((), ())


@pytest.mark.parametrize("reason", ["part-differs", "colours-differ", "overlap"])
def test_a_doubt_that_nobody_settled_is_on_the_careful_side(filled, ids, paired, known, reason):
    paired((0, 1, "related", reason), (4, 5, "unrelated", reason))
    assert known() == (((0, 1),), ())
    pipeline.decide_pair(filled, ids[0], ids[1], PairVerdict.NOT_A_MATCH)
    assert known() == ((), ())
    pipeline.decide_pair(filled, ids[0], ids[1], None)
    assert known() == (((0, 1),), ())


@pytest.mark.parametrize("kind", ["near", "crop-of", "variant", "related"])
def test_a_persons_word_stands_in_place_of_the_pixels(filled, ids, paired, known, kind):
    paired((0, 1, kind))
    for verdict, groups in (
        (PairVerdict.NOT_A_MATCH, ()),
        (PairVerdict.MERGE, ((0, 1),)),
        (PairVerdict.VARIANT, ((0, 1),)),
    ):
        pipeline.decide_pair(filled, ids[1], ids[0], verdict)
        assert known()[0] == groups


def test_a_merge_needs_no_pair(filled, ids, known):
    pipeline.decide_pair(filled, ids[5], ids[2], PairVerdict.MERGE)
    pipeline.decide_pair(filled, ids[2], ids[7], PairVerdict.VARIANT)
    assert known()[0] == ((2, 5, 7),)
    assert known(5, 7)[0] == ((5, 7),)


def test_who_hangs_together_is_one_group(paired, known):
    paired((0, 1, "near"), (1, 2, "variant"), (3, 4, "crop-of"), (2, 5, "related", "overlap"))
    assert known()[0] == ((0, 1, 2, 5), (3, 4))


def test_kin_are_found_through_a_copy_that_is_not_among_them(paired, known):
    paired((0, 1, "near"), (1, 2, "crop-of"), (2, 3, "variant"))
    assert known(0, 3, 5)[0] == ((0, 3),)


def test_a_doubt_about_a_copy_is_a_doubt_about_the_picture(paired, known):
    paired((0, 1, "near"), (1, 2, "related", "part-differs"))
    assert known(0, 2)[0] == ((0, 2),)


def test_two_doubts_about_a_picture_elsewhere_say_nothing_of_each_other(paired, known):
    paired((0, 1, "related", "part-differs"), (1, 2, "related", "part-differs"))
    assert known(0, 2)[0] == ()
    assert known(0, 1, 2)[0] == ((0, 1, 2),)


def test_a_collage_joins_its_parts_only_where_it_is_among_them(paired, known):
    paired((0, 7, "crop-of"), (1, 7, "crop-of"), (2, 7, "crop-of"))
    assert known(0, 1, 2)[0] == ()
    assert known(0, 1, 7)[0] == ((0, 1, 7),)


def test_clusters_are_copies_and_other_kin_are_not(filled, ids, paired, known):
    paired((0, 1, "near"), (1, 2, "crop-of"), (0, 3, "variant"), (5, 6, "same-pixels"))
    pipeline.dedup(filled)
    groups, copies = known()
    assert groups == ((0, 1, 2, 3), (5, 6))
    assert (5, 6) in copies
    # Around a representative: two of the three, where it is not the one between the others.
    assert any(set(group) <= {0, 1, 2} for group in copies)
    assert not any(3 in group for group in copies)


def test_a_cluster_joins_although_a_pair_is_missing(filled, ids, clustered, known):
    clustered(0, 1, 2)
    assert known() == (((0, 1, 2),), ((0, 1, 2),))
    pipeline.decide_pair(filled, ids[0], ids[2], PairVerdict.NOT_A_MATCH)
    assert known() == (((0, 1),), ((0, 1),))


def test_nobody_and_strangers_have_no_kin(filled, ids):
    with filled.read() as session:
        assert kin(session, []) == kin(session, ids) == Kin()
