"""Is a snapshot its members and nothing else?"""

from __future__ import annotations

import pytest

from picdeed.core.ids import sha256
from picdeed.registry import snapshots


def test_a_leaf_is_canonical_json_of_three_words():
    assert snapshots.leaf("aa", "ü", "MIT") == (
        b'{"caption_sha256":"%b","license":"MIT","picture_sha256":"aa"}'
        % sha256("ü".encode()).encode()
    )
    assert snapshots.leaf("aa", None, "MIT") == snapshots.leaf("aa", "", "MIT")


def test_the_root_does_not_depend_on_the_order():
    leaves = [snapshots.leaf(str(i), "c", "MIT") for i in range(5)]
    assert snapshots.root_of(leaves) == snapshots.root_of(leaves[::-1])
    assert snapshots.root_of(leaves) != snapshots.root_of(leaves[1:])
    # RFC 6962 by hand for two leaves.
    one, two = sorted(leaves[:2])
    assert snapshots.root_of(leaves[:2]) == sha256(
        b"\x01" + bytes.fromhex(sha256(b"\x00" + one)) + bytes.fromhex(sha256(b"\x00" + two))
    )
    assert snapshots.snapshot_id("ab") == "snp_ab"


def test_a_request_is_what_was_asked_and_what_came():
    one = snapshots.request_id("snp_1", "dat_1", {"for": ["train"]}, {"license": 1})
    assert snapshots.request_id("snp_1", "dat_1", {"for": ["train"]}, {"license": 1}) == one
    assert snapshots.request_id("snp_1", "dat_1", {"for": ["train"]}, {"license": 2}) != one


def test_members_requests_and_holders(full, life):
    with full.read() as session:
        (member,) = snapshots.members(session, life.snapshot.id)
        assert (member.picture_id, member.license) == (life.a.id, "CC0-1.0")
        (request,) = snapshots.requests(session, life.snapshot.id)
        assert request.left_out == {"duplicate": 1}
        assert [s.id for s in snapshots.all_snapshots(session)] == [life.snapshot.id]
        assert [s.id for s in snapshots.holding(session, [life.b.id, life.a.id])] == [
            life.snapshot.id
        ]
        assert snapshots.holding(session, [life.b.id]) == []


@pytest.mark.parametrize("subject", ["snp_0", ""])
def test_an_unknown_snapshot_has_no_members(full, subject):
    with full.read() as session:
        assert snapshots.members(session, subject) == []
