"""Which pictures must not come back? Revoked on a told ground, or opted out and not taken back."""

from __future__ import annotations

from picdeed.registry import protected, similar
from picdeed.registry.claims import ClaimCorrection
from picdeed.registry.pictures import PictureState
from picdeed.registry.revocations import Revocation, RevocationEffect


def revocation(number, ground, at, picture, after="revoked"):
    return [
        Revocation(
            id=f"rev_{number}", target=picture, ground=ground, effective=at, declared_at=at,
            impact={},
        ),
        RevocationEffect(
            revocation_id=f"rev_{number}", subject_id=picture, before="good", after=after
        ),
    ]  # fmt: skip


def test_revoked_ones_by_ground_the_newest_first(registry, make, save):
    names = {
        "old": PictureState.REVOKED, "new": PictureState.REVOKED, "ended": PictureState.REVOKED,
        "erased": PictureState.ERASED, "good": PictureState.GOOD,
    }  # fmt: skip
    rows = {name: make.picture(name, state=state) for name, state in names.items()}
    grounds = {"ended": "contract-ended"}
    written = [
        row
        for number, (name, one) in enumerate(rows.items())
        for row in revocation(
            number,
            grounds.get(name, "takedown"),
            f"2026-01-0{number + 1}",
            one.id,
            "good" if name == "good" else "revoked",
        )
    ]
    save(*rows.values(), *written)
    with registry.read() as session:
        found = protected.revoked(session, ("takedown", "error"))
        usable = protected.usable(session)
    assert [one.picture for one in found] == [rows["new"].id, rows["old"].id]
    assert (found[0].ground, found[0].since) == ("takedown", "2026-01-02")
    assert usable == {rows["good"].id}


def test_opted_out_ones_until_a_person_takes_it_back(registry, make, save):
    a, b, c = make.picture("a"), make.picture("b"), make.picture("c")
    said = [
        make.claim(a.id, kind="opt-out", parsed="noai"),
        make.claim(b.id, kind="opt-out", parsed="noai"),
        make.claim(c.id, kind="opt-out", status="unparsed"),
        make.claim(c.id),
    ]
    back = ClaimCorrection(corrects_id=said[1].id, because="a slip", corrected_at=make.at)
    save(a, b, c, *said, back)
    with registry.read() as session:
        found = protected.opted_out(session, "opt-out", "parsed")
    assert [(one.picture, one.ground) for one in found] == [(a.id, "noai")]


def test_pairs_with_one_of_them_on_either_side(registry, make, save):
    a, b, c = sorted((make.picture(name) for name in "abc"), key=lambda one: one.id)
    pairs = [
        similar.new_pair(x.id, y.id, kind="near", distance=0.1, evidence={})
        for x, y in ((a, b), (b, c))
    ]
    save(a, b, c, *pairs)
    with registry.read() as session:
        assert [(p.a, p.b) for p in protected.pairs_with(session, [c.id])] == [(b.id, c.id)]
        assert len(protected.pairs_with(session, [b.id, c.id])) == 2
        assert protected.pairs_with(session, []) == []
