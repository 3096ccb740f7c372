"""Do entries chain, hide what they name, and are they found by file and by pixels?"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from picdeed.core.ids import sha256
from picdeed.registry import tombstones
from picdeed.registry.heads import load_key
from picdeed.registry.similar import Fingerprint

SALT = "5a" * 32


def feed(make, *digests):
    """A header and one entry for each (file, pixels)."""
    rows = [tombstones.header_row(tombstones.header("fe" * 32, SALT, make.at), at=make.at)]
    for digest, pixels in digests:
        entry = tombstones.next_entry(rows[-1], "rev_1", "takedown", make.at, digest, pixels)
        assert entry.holds()
        rows.append(tombstones.entry_row("fe" * 32, SALT, entry, at=make.at))
    return rows


def test_a_hash_is_an_hmac_of_the_digests_bytes():
    digest = sha256(b"picture")
    expected = hmac.new(bytes.fromhex(SALT), bytes.fromhex(digest), hashlib.sha256).hexdigest()
    assert tombstones.salted(SALT, digest) == expected
    assert tombstones.salted("5b" * 32, digest) != expected


def test_entries_chain_from_the_header(make):
    head, first, second = feed(make, ("aa" * 32, None), ("bb" * 32, "cc" * 32))
    assert (head.seq, first.seq, second.seq) == (0, 1, 2)
    again = tombstones.next_entry(first, "rev_1", "takedown", make.at, "bb" * 32, "cc" * 32)
    assert again.hash == second.entry_hash
    other = tombstones.next_entry(head, "rev_1", "takedown", make.at, "bb" * 32, "cc" * 32)
    assert other.hash != second.entry_hash
    for change in ({"ground": "error"}, {"seq": 3}, {"previous": "0" * 64}, {"pixels_hash": None}):
        assert not replace(again, **change).holds()


def test_found_by_file_and_by_pixels(registry, make, save):
    save(*feed(make, ("aa" * 32, None), ("bb" * 32, "cc" * 32)))
    with registry.read() as session:
        assert tombstones.salts(session) == [("fe" * 32, SALT)]
        assert tombstones.last(session, "fe" * 32).seq == 2
        assert tombstones.last(session, "00" * 32) is None
        assert tombstones.at(session, "fe" * 32, 1).seq == 1
        assert [row.seq for row in tombstones.entries(session, "fe" * 32)] == [1, 2]
        found = {
            digest: [
                row.seq
                for row in tombstones.with_hashes(session, [tombstones.salted(SALT, digest * 32)])
            ]
            for digest in ("aa", "bb", "cc", "dd")
        }
    assert found == {"aa": [1], "bb": [2], "cc": [2], "dd": []}


def test_our_own_header_never_changes(registry, make, save):
    key = load_key(registry.ledger_key)
    with registry.read() as session:
        first = tombstones.own_header(session, key)
    save(make.picture("later"))
    with registry.read() as session:
        assert tombstones.own_header(session, key) == first
    assert first["salt"] == tombstones.own_salt(key)
    assert first["salt"] != first["feed"]


def test_pixels_come_from_any_fingerprint_that_holds_them(registry, make, save):
    a, b = make.picture("a"), make.picture("b")
    marks = [
        Fingerprint(
            picture_id=a.id, algorithm=name, phash="0", dhash="0", pixels_sha256=pixels,
            created_at=make.at,
        )
        for name, pixels in (("old", "11" * 32), ("new", None))
    ]  # fmt: skip
    save(a, b, *marks)
    with registry.read() as session:
        assert tombstones.pixels_of(session, [a.id, b.id]) == {a.id: "11" * 32}
