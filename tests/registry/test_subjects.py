"""Does a prefix or a name mean one thing, or nothing?"""

from __future__ import annotations

import pytest

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import PREFIXES
from picdeed.registry import subjects
from picdeed.registry.pictures import Picture
from picdeed.registry.subjects import resolve


def test_every_kind_resolves_by_id_and_by_prefix(full, life):
    for row in (life.a, life.dataset, life.snapshot, life.decision, life.run, life.adapter,
                life.output, life.cluster, life.revocation, life.base, life.grant):  # fmt: skip
        with full.read() as session:
            assert resolve(session, row.id) == row.id
            assert resolve(session, row.id[:12]) == row.id
            assert resolve(session, row.id[:12], {row.id[:3]}) == row.id
            with pytest.raises(UnknownSubject):
                resolve(session, row.id, {"bas" if row.id[:3] == "grt" else "grt"})
            with pytest.raises(UnknownSubject):
                resolve(session, row.id[:-1] + ("0" if row.id[-1] != "0" else "1"))
    assert set(subjects.WORDS) == set(PREFIXES)


def test_names(full, life):
    with full.read() as session:
        assert resolve(session, "birds") == life.dataset.id
        assert resolve(session, "sprig") == life.base.id
        assert resolve(session, "birds", {"dat"}) == life.dataset.id
        with pytest.raises(UnknownSubject, match="no base 'birds'"):
            resolve(session, "birds", {"bas"})


@pytest.mark.parametrize(
    "text", ["", "img_", "img_%", "img_g", "IMG_1", "' OR 1=1", "gone", "grt_1", "xyz_1", "\x00"]
)
def test_what_is_unknown(full, text):
    with full.read() as session, pytest.raises(UnknownSubject):
        resolve(session, text)


def test_a_prefix_of_several_is_refused(registry, make, save):
    rows = [make.picture(str(i)) for i in range(40)]
    save(*rows)
    firsts = [row.id[:5] for row in rows]
    several = next(first for first in firsts if firsts.count(first) > 1)
    with registry.read() as session:
        with pytest.raises(UnknownSubject, match="fits several") as caught:
            resolve(session, several)
        assert "more digits" in caught.value.hint
        for row in rows:
            assert resolve(session, row.id[:20]) == row.id


def test_an_exact_name_wins_over_a_prefix(registry, make, save):
    row = make.picture("x")
    named = make.dataset(row.id[:10])
    save(row, named)
    with registry.read() as session:
        assert resolve(session, row.id[:10]) == named.id
        assert resolve(session, row.id[:11]) == row.id
        assert resolve(session, row.id[:10], {"img"}) == row.id


def test_a_name_of_two_things_is_refused(registry, make, save):
    save(make.one_life().base, make.dataset("sprig"))
    with registry.read() as session:
        with pytest.raises(UnknownSubject, match="several"):
            resolve(session, "sprig")
        assert resolve(session, "sprig", {"bas"}).startswith("bas_")


def test_find_and_require_give_the_row(full, life):
    with full.read() as session:
        assert subjects.find(session, Picture, life.a.id).id == life.a.id
        assert subjects.find(session, Picture, life.a.id[:10]) is None
        assert subjects.require(session, Picture, life.a.id[:10]).id == life.a.id
        with pytest.raises(UnknownSubject, match="picture"):
            subjects.require(session, Picture, life.snapshot.id)
