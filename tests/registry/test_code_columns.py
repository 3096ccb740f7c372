"""Do the arrays say what the rows say, and is a row that is no code refused?"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from coded_rows import CODES, MARKS, rows_with_codes

from picdeed.core.errors import IntegrityError
from picdeed.registry.code_columns import read_columns


@pytest.fixture
def coded_rows(make):
    return partial(rows_with_codes, make)


def test_rows_become_words(registry, save, coded_rows):
    shown, rows = coded_rows(12)
    save(*shown, *rows)
    with registry.read() as session:
        found = read_columns(session, CODES, MARKS)
        few = read_columns(session, CODES, MARKS, [shown[3].id, shown[5].id, "img_unknown"])
        assert len(read_columns(session, "other/1", MARKS)) == 0
        bare = read_columns(session, CODES, "other/1")
    assert sorted(found.names.astype(str)) == sorted(one.id for one in shown)
    by_id = {row.picture_id: row for row in rows if row.__tablename__ == "codes"}
    marks = {row.picture_id: row for row in rows if row.__tablename__ == "fingerprints"}
    assert found.trimmed.sum() == 4
    for code, owner, trimmed in zip(found.turned, found.owner, found.trimmed, strict=True):
        row = by_id[found.names[owner].decode()]
        text = row.turned_trimmed if trimmed else row.turned
        for turn in range(8):
            number = int(text[64 * turn : 64 * turn + 64], 16)
            assert [int(word) for word in code[turn]] == [
                number >> 64 * at & (2**64 - 1) for at in range(4)
            ]
    for at, name in enumerate(found.names.astype(str)):
        row = by_id[name]
        assert found.colours[at].tobytes().hex() == row.colours
        assert found.quality[at] == row.quality
        known = marks.get(name)
        wanted = [0, 0] if known is None else [int(known.phash, 16), int(known.dhash, 16)]
        assert found.hashes[at].tolist() == wanted
        (own,) = [one for one in shown if one.id == name]
        assert found.shape[at].tolist() == [3, 4, own.bytes]
    assert sorted(few.names.astype(str)) == sorted([shown[3].id, shown[5].id])
    assert not bare.hashes.any()


@pytest.mark.parametrize("change", [{"turned": "0" * 511}, {"turned": "x" * 512}, {"colours": ""}])
def test_what_is_no_code_is_damage(registry, save, coded_rows, change):
    shown, rows = coded_rows(3)
    for name, value in change.items():
        setattr(rows[0], name, value)
    save(*shown, *rows)
    with registry.read() as session, pytest.raises(IntegrityError, match="nothing was compared"):
        read_columns(session, CODES, MARKS)
    with registry.read() as session:
        assert np.array_equal(read_columns(session, "other/1", MARKS).names, [])
