"""Are fingerprints kept beside the entries that they came with?"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from picdeed.registry import looks, tombstones
from picdeed.registry.looks import TombstoneLook


def look(feed, seq):
    return TombstoneLook(feed=feed, seq=seq, algorithm="a/1", turned="00", quality=1, colours="00")


def test_they_are_told_by_feed_and_entry(registry, make, save):
    rows = []
    for feed in ("fe" * 32, "ab" * 32):
        rows.append(tombstones.header_row(tombstones.header(feed, "5a" * 32, make.at), at=make.at))
        for _ in range(2):
            entry = tombstones.next_entry(rows[-1], "rev_1", "error", make.at, "aa" * 32, None)
            rows.append(tombstones.entry_row(feed, "5a" * 32, entry, at=make.at))
    save(*rows, look("fe" * 32, 2), look("fe" * 32, 1), look("ab" * 32, 1))
    with registry.read() as session:
        told = [(row.feed[:2], row.seq) for row in looks.all_looks(session)]
        assert told == [("ab", 1), ("fe", 1), ("fe", 2)]
        assert [row.seq for row in looks.of_feed(session, "fe" * 32)] == [1, 2]


def test_there_is_none_without_its_entry(save):
    with pytest.raises(sa.exc.IntegrityError):
        save(look("fe" * 32, 1))
