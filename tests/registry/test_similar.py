"""Are fingerprints, pairs and clusters found from either side?"""

from __future__ import annotations

import pytest

from picdeed.core.events import Event
from picdeed.registry import ledger, similar
from picdeed.registry.datasets import Member
from picdeed.registry.pictures import PictureState
from picdeed.registry.similar import Cluster, ClusterMember, Fingerprint, new_pair


def fingerprint(picture, at, algorithm="phash64/1"):
    return Fingerprint(
        picture_id=picture, algorithm=algorithm, phash="0" * 16, dhash="0" * 16, created_at=at
    )


def cluster(kind, *ids):
    name = similar.cluster_id(kind, ids)
    members = [ClusterMember(cluster_id=name, picture_id=one) for one in ids]
    return [Cluster(id=name, kind=kind, keeper=ids[0]), *members]


def test_a_pair_has_one_order():
    one = new_pair("img_2", "img_1", kind="near", distance=1, evidence={})
    assert (one.a, one.b) == ("img_1", "img_2")
    with pytest.raises(ValueError, match="itself"):
        new_pair("img_1", "img_1", kind="near", distance=0, evidence={})


def test_a_cluster_is_its_kind_and_its_members():
    one = similar.cluster_id("near", ["img_1", "img_2"])
    assert similar.cluster_id("near", ["img_2", "img_1", "img_1"]) == one
    assert similar.cluster_id("variant", ["img_1", "img_2"]) != one
    assert similar.cluster_id("near", ["img_1"]) != one


def test_what_has_no_fingerprint_yet(registry, make, save):
    d = make.dataset("d")
    shown = sorted((make.picture(str(i)) for i in range(4)), key=lambda p: p.id)
    shown[3].state = PictureState.ERASED
    ids = [p.id for p in shown]
    save(
        d,
        *shown,
        Member(dataset_id=d.id, picture_id=ids[1], added_at=make.at),
        fingerprint(ids[0], make.at),
        fingerprint(ids[1], make.at, "other/1"),
    )
    with registry.read() as session:
        assert similar.without_fingerprint(session, "phash64/1") == ids[1:3]
        assert similar.without_fingerprint(session, "phash64/1", d.id) == ids[1:2]
        assert similar.without_fingerprint(session, "other/1", d.id) == []
        assert [f.picture_id for f in similar.fingerprints(session, "other/1")] == ids[1:2]


def test_pairs_within_some_pictures_only(registry, make, save):
    ids = sorted(make.picture(str(i)).id for i in range(4))
    save(*(make.picture(str(i)) for i in range(4)))
    linked = [(0, 1), (1, 2), (2, 3)]
    save(*(new_pair(ids[i], ids[j], kind="near", distance=0, evidence={}) for i, j in linked))
    with registry.read() as session:
        found = similar.pairs_among(session, [ids[2], ids[0], ids[1]])
        assert [(pair.a, pair.b) for pair in found] == [(ids[0], ids[1]), (ids[1], ids[2])]
        assert similar.pairs_among(session, ids[:1]) == similar.pairs_among(session, []) == []


def test_how_many_rows_came_since(registry, make, save):
    save(make.picture("0"))
    with registry.read() as session:
        seq, _ = ledger.last_event(session)
    save(make.picture("1"), make.picture("2"))
    with registry.read() as session:
        assert similar.written_since(session, seq, "pictures") == 2
        assert similar.written_since(session, seq, "pairs") == 0
        assert similar.written_since(session, seq - 1, "pictures") == 3


def test_a_decision_about_a_pair_settles_nothing_anew(registry, make, save):
    save(make.picture("0"))
    with registry.read() as session:
        seq = similar.settled(session)
        assert seq == ledger.last_event(session)[0]
    with registry.write() as session:
        ledger.write(session, Event.DEDUP_DECIDED, {}, [])
    with registry.read() as session:
        assert similar.settled(session) == seq < ledger.last_event(session)[0]


def test_clusters_from_either_side(registry, make, save):
    d = make.dataset("d")
    ids = sorted(make.picture(str(i)).id for i in range(5))
    save(
        d,
        *[make.picture(str(i)) for i in range(5)],
        Member(dataset_id=d.id, picture_id=ids[0], added_at=make.at),
        *cluster("near", ids[1], ids[0]),
        *cluster("variant", ids[0], ids[2]),
        *cluster("same-pixels", ids[3], ids[4]),
        new_pair(ids[0], ids[1], kind="near", distance=0.5, evidence={"x": 1}),
        new_pair(ids[0], ids[2], kind="variant", distance=0.5, evidence={}),
    )
    with registry.read() as session:
        found = [(c.kind, c.keeper, members) for c, members in similar.clusters(session)]
        assert found == [
            ("near", ids[1], ids[:2]),
            ("same-pixels", ids[3], ids[3:]),
            ("variant", ids[0], [ids[0], ids[2]]),
        ]
        assert [c.kind for c, _ in similar.clusters(session, d.id)] == ["near", "variant"]
        # A variant is no copy: its licence does not spread.
        assert similar.same_picture(session, [*ids[:4], "img_0"]) == {
            ids[0]: ids[:2],
            ids[1]: ids[:2],
            ids[3]: ids[3:],
        }
        assert [p.b for p in similar.pairs(session)] == [ids[1], ids[2]]
        assert [p.b for p in similar.pairs(session, "near")] == [ids[1]]
        assert similar.cluster_members(session, ["clu_0"]) == {"clu_0": []}


def test_pairs_are_found_from_either_end(registry, make, save):
    shown = sorted((make.picture(str(i)) for i in range(5)), key=lambda p: p.id)
    ids = [p.id for p in shown]
    save(
        *shown,
        *(
            new_pair(ids[a], ids[b], kind=kind, distance=0.5, evidence={})
            for a, b, kind in (
                (0, 1, "near"),
                (1, 2, "related"),
                (2, 3, "unrelated"),
                (3, 4, "variant"),
            )
        ),
    )
    with registry.read() as session:

        def asked(*places):
            found = similar.pairs_of(session, [ids[at] for at in places])
            return [(ids.index(pair.a), ids.index(pair.b)) for pair in found]

        assert asked(0) == [(0, 1)]
        assert asked(1) == asked(0, 1, 2) == [(0, 1), (1, 2)]
        assert asked(3) == asked(4) == [(3, 4)]
        assert asked() == []
