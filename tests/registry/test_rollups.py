"""Do stored counts stay true, and is only what changed counted anew?"""

from __future__ import annotations

import sqlalchemy as sa

from picdeed.registry import ledger, rollups
from picdeed.registry.pictures import PictureState
from picdeed.registry.snapshots import Snapshot, SnapshotMember


def frozen(make, shown, name="s"):
    head = Snapshot(id=f"snp_{name}", root=name, members=len(shown), created_at=make.at)
    members = [
        SnapshotMember(
            snapshot_id=head.id, picture_id=p.id, caption_sha256="", license="x", leaf_sha256=""
        )
        for p in shown
    ]
    return head, *members


def counted(registry, name="s"):
    with registry.write() as session:
        return rollups.counts(session, f"snp_{name}")


def test_members_are_counted_by_standing_and_state(registry, make, save):
    shown = [make.picture(str(i), state="revoked" if i == 4 else "good") for i in range(6)]
    free, shut = make.standing(), make.standing("CC-BY-NC-4.0", "DENY")
    answers = [free, free, free, shut, shut]
    concluded = [make.conclusion(p.id, a) for p, a in zip(shown, answers, strict=False)]
    save(*shown, free, shut, *concluded, *frozen(make, shown))
    assert counted(registry).pictures == tuple(
        sorted(
            [(free.id, "good", 3), (shut.id, "good", 1), (shut.id, "revoked", 1), ("", "good", 1)]
        )
    )
    with registry.read() as session:
        like = rollups.standing_as(session, "snp_s", [(shut.id, "good")], 9)
        both = [(free.id, "good"), (shut.id, "revoked")]
        many = sorted(p.id for p in (*shown[:3], shown[4]))
        assert rollups.standing_as(session, "snp_s", both, 9) == many
        assert rollups.standing_as(session, "snp_s", both, 2) == many[:2]
    assert like == [shown[3].id]


def test_a_change_of_a_member_is_counted_and_one_elsewhere_is_not(
    registry, make, save, monkeypatch
):
    shown = [make.picture(str(i)) for i in range(4)]
    free = make.standing()
    concluded = [make.conclusion(p.id, free) for p in shown]
    save(*shown, free, *concluded, *frozen(make, shown[:3]))
    first = counted(registry)
    again = []
    whole = rollups._count
    monkeypatch.setattr(rollups, "_count", lambda *a: again.append(a) or whole(*a))
    shown[3].state = PictureState.REVOKED
    save(shown[3])
    assert (counted(registry), again) == (first, [])
    shown[0].state = PictureState.REVOKED
    save(shown[0])
    second = counted(registry)
    assert len(again) == 1
    assert second.pictures == ((free.id, "good", 2), (free.id, "revoked", 1))
    assert second.digest != first.digest


def test_the_digest_says_who_and_not_only_how_many(registry, make, save):
    a, b = make.picture("a"), make.picture("b")
    free, shut = make.standing(), make.standing("CC-BY-NC-4.0", "DENY")
    rows = [make.conclusion(a.id, free), make.conclusion(b.id, shut)]
    save(a, b, free, shut, *rows, *frozen(make, [a, b]))
    first = counted(registry)
    rows[0].standing_id, rows[1].standing_id = shut.id, free.id
    save(*rows)
    second = counted(registry)
    assert second.pictures == first.pictures
    assert second.digest != first.digest


def test_a_lost_rollup_is_made_again(registry, make, save):
    shown = [make.picture(str(i)) for i in range(3)]
    free = make.standing()
    save(*shown, free, *(make.conclusion(p.id, free) for p in shown), *frozen(make, shown))
    first = counted(registry)
    with registry.write() as session:
        session.execute(sa.delete(rollups.SnapshotCount))
        session.execute(sa.delete(rollups.Watermark))
        session.commit()
    assert counted(registry) == first


def test_what_was_written_since_is_found_by_table(registry, make, save):
    with registry.write() as session:
        rollups.set_watermark(session, "mine")
        at = rollups.watermark(session, "mine").seq
        assert at == ledger.last_event(session)[0]
    p = make.picture("p")
    save(p, make.dataset("birds"))
    with registry.read() as session:
        found = list(rollups.rows_since(session, at, ["pictures"]))
        assert found == [("pictures", [p.id], False)]
        assert rollups.changed_since(session, at, ["datasets"])
        assert not rollups.changed_since(session, at, ["runs"])
