"""Is what shows a revoked or opted-out picture caught, in any order, and a stranger never?"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from scenes import COPIES, keep, one_id, register, scene

from picdeed.flow import pairs, pipeline, protected
from picdeed.flow.claims import Saying
from picdeed.flow.ingest import ingest
from picdeed.flow.revoke import Ground
from picdeed.registry import claims, ledger, pictures
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import Registry
from picdeed.rights.claims import ClaimKind
from picdeed.sources import linocut

TRAIN = pipeline.Use.TRAIN


def verdict(done: pipeline.Registered, picture: str) -> str:
    return str(done.conclusions[picture][1]["train"])


def likenesses(registry: Registry, picture: str) -> list[claims.PictureClaim]:
    with registry.read() as session:
        return [row for row in claims.of(session, picture) if row.source == "likeness"]


def state(registry: Registry, picture: str) -> str:
    with registry.read() as session:
        return pictures.by_ids(session, [picture])[picture].state


def events(registry: Registry) -> int:
    with registry.read() as session:
        return ledger.last_event(session)[0]


@pytest.fixture
def revoked(registry: Registry, tmp_path: Path) -> str:
    """A picture that was taken down, and a stranger beside it."""
    register(registry, keep(tmp_path / "strangers", other=scene(2)), "strangers")
    picture = one_id(registry, keep(tmp_path / "first", work=scene(1)), "first")
    pipeline.withdraw(registry, picture, Ground.TAKEDOWN, effective="2026-01-05")
    return picture


@pytest.mark.parametrize("edit", COPIES)
def test_a_copy_that_arrives_later_is_denied_left_out_and_told(
    registry: Registry, revoked: str, tmp_path: Path, edit: str
) -> None:
    done = register(registry, keep(tmp_path / "late", copy=COPIES[edit](scene(1))), "late")
    (found,) = done.ingested.pictures
    assert verdict(done, found.id) == "DENY"
    (warning,) = [one for one in done.ingested.warnings if revoked in one]
    assert "takedown since 2026-01-05" in warning
    assert warning.startswith(found.path)
    assert warning.endswith("DENY")
    frozen = pipeline.freeze(registry, "late")
    assert (frozen.snapshot, sum(frozen.left_out.values())) == (None, 1)
    everything = pipeline.freeze(registry, "late", pipeline.Query(all=True))
    assert everything.snapshot is not None
    assert pipeline.judge(registry, everything.snapshot, "sprig").verdict == "DENY"
    assert pipeline.explain(registry, found.id, TRAIN).verdict == "DENY"
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_strangers_of_one_family_are_never_caught(registry: Registry, tmp_path: Path) -> None:
    words = linocut.SUBJECTS[:24]
    drawn = {word.replace(" ", "-"): linocut.draw(word) for word in words}
    first = one_id(registry, keep(tmp_path / "one", one=drawn.pop(words[0])), "one")
    pipeline.withdraw(registry, first, Ground.TAKEDOWN)
    done = register(registry, keep(tmp_path / "rest", **drawn), "rest")
    assert {verdict(done, one.id) for one in done.ingested.pictures} == {"ALLOW"}
    assert done.ingested.warnings == ()
    assert pipeline.freeze(registry, "rest").members == len(drawn)


def test_parts_that_are_strangers_to_each_other_are_both_caught(
    registry: Registry, revoked: str, tmp_path: Path
) -> None:
    """The whole contains two that do not touch, so it joins neither's cluster."""
    left, right = scene(1).crop((0, 0, 230, 360)), scene(1).crop((250, 0, 480, 360))
    done = register(registry, keep(tmp_path / "late", left=left, right=right), "late")
    assert {verdict(done, one.id) for one in done.ingested.pictures} == {"DENY"}
    assert pipeline.freeze(registry, "late").snapshot is None


def test_what_was_frozen_of_a_part_falls_with_the_whole(registry: Registry, tmp_path: Path) -> None:
    """Two parts that do not touch share no cluster with the whole, which came after them."""
    left, right = scene(1).crop((0, 0, 230, 360)), scene(1).crop((250, 0, 480, 360))
    part = one_id(registry, keep(tmp_path / "l", left=left), "l")
    other = one_id(registry, keep(tmp_path / "r", right=right), "r")
    frozen = pipeline.freeze(registry, "l").snapshot
    stranger = pipeline.freeze(registry, "r").snapshot
    whole = one_id(registry, keep(tmp_path / "w", whole=scene(1)), "w")
    fell = pipeline.withdraw(registry, part, Ground.TAKEDOWN, simulate=True).impact
    assert {one.id for one in fell.pictures} == {part, whole}
    assert [one.id for one in fell.snapshots] == [frozen]
    fell = pipeline.withdraw(registry, whole, Ground.TAKEDOWN).impact
    assert {one.id for one in fell.pictures} == {part, other, whole}
    assert {(one.id, one.state) for one in fell.snapshots} == {
        (frozen, "not-usable"), (stranger, "not-usable"),
    }  # fmt: skip
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_an_opt_out_reaches_crops_whichever_came_first(registry: Registry, tmp_path: Path) -> None:
    before = one_id(registry, keep(tmp_path / "b", b=COPIES["crop of 30 %"](scene(1))), "b")
    work = one_id(registry, keep(tmp_path / "a", a=scene(1)), "a")
    saying = Saying(by="Eve", because="her letter")
    pipeline.claim(registry, pipeline.rules(), work, {ClaimKind.OPT_OUT: "letter"}, saying)
    done = register(registry, keep(tmp_path / "c", c=COPIES["mirrored crop"](scene(1))), "c")
    (late,) = done.ingested.pictures
    assert verdict(done, late.id) == "DENY"
    assert pipeline.explain(registry, before, TRAIN).verdict == "DENY"
    assert [row.parsed for row in likenesses(registry, before)] == ["copy-of-opted-out"]
    assert likenesses(registry, work) == []
    assert state(registry, late.id) == "good"


def test_a_revocation_reaches_crops_that_dedup_did_not_look_for(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a registry of more pictures than are compared by their corners."""
    monkeypatch.setattr(pairs, "LOCAL_UP_TO", 0)
    small = one_id(registry, keep(tmp_path / "b", b=COPIES["crop of 30 %"](scene(1))), "b")
    whole = one_id(registry, keep(tmp_path / "a", a=scene(1)), "a")
    assert pipeline.dedup(registry).clusters == ()
    fell = pipeline.withdraw(registry, whole, Ground.TAKEDOWN)
    assert {one.id for one in fell.impact.pictures} == {small, whole}
    assert state(registry, small) == "revoked"


def stickered(image: Image.Image) -> Image.Image:
    """A part differs: one picture edited, or two made from one design."""
    out = image.copy()
    ImageDraw.Draw(out).rectangle((150, 100, 300, 220), fill=(250, 240, 30))
    return out


def test_a_doubt_is_review_and_a_person_settles_it(
    registry: Registry, revoked: str, tmp_path: Path
) -> None:
    done = register(registry, keep(tmp_path / "late", odd=stickered(scene(1))), "late")
    (found,) = done.ingested.pictures
    assert verdict(done, found.id) == "REVIEW"
    assert any("looks like" in one and "REVIEW" in one for one in done.ingested.warnings)
    (row,) = likenesses(registry, found.id)
    assert (row.parsed, row.status) == ("looks-like-revoked", "unparsed")
    why = pipeline.explain(registry, found.id, TRAIN)
    assert any("looks like something that was revoked" in one["clause"] for one in why.reasons)
    saying = Saying(by="Eve", because="another design")
    rules = pipeline.rules()
    pipeline.claim(registry, rules, found.id, {}, saying, corrects=row.id[:12])
    pipeline.freeze(registry, "late")
    assert pipeline.explain(registry, found.id, TRAIN).verdict == "ALLOW"
    register(registry, tmp_path / "late", "again")
    assert pipeline.explain(registry, found.id, TRAIN).verdict == "ALLOW"


def test_who_was_decided_not_to_match_is_not_caught(registry: Registry, tmp_path: Path) -> None:
    work = one_id(registry, keep(tmp_path / "a", a=scene(1)), "a")
    other = one_id(registry, keep(tmp_path / "b", b=COPIES["mirrored"](scene(1))), "b")
    pipeline.decide_pair(registry, work, other, PairVerdict.NOT_A_MATCH, by="Eve")
    pipeline.withdraw(registry, work, Ground.TAKEDOWN)
    assert pipeline.freeze(registry, "b").members == 1
    assert likenesses(registry, other) == []


def test_what_a_kill_left_unscreened_is_caught_before_it_is_frozen(
    registry: Registry, revoked: str, tmp_path: Path
) -> None:
    source = keep(tmp_path / "late", copy=COPIES["crop of 30 %"](scene(1)))
    given = pipeline.Given(license="CC0-1.0")
    done = ingest(registry, pipeline.rules(), source, "late", given=given)  # and the power fails
    assert likenesses(registry, done.pictures[0].id) == []
    assert pipeline.freeze(registry, "late").snapshot is None
    assert len(likenesses(registry, done.pictures[0].id)) == 1


def test_asking_again_has_no_second_effect(
    registry: Registry, revoked: str, tmp_path: Path
) -> None:
    source = keep(tmp_path / "late", copy=COPIES["crop of 10 %"](scene(1)))
    register(registry, source, "late")
    pipeline.freeze(registry, "late")
    before = events(registry)
    register(registry, source, "late")
    pipeline.freeze(registry, "late")
    assert protected.screen(registry) == ()
    assert events(registry) == before


def test_the_end_of_a_contract_does_not_follow_copies(registry: Registry, tmp_path: Path) -> None:
    """It concerns its two parties; a copy stands by its own claims."""
    work = one_id(registry, keep(tmp_path / "a", a=scene(1)), "a")
    pipeline.claim(registry, pipeline.rules(), work, {ClaimKind.HOLDER: "Ada"}, Saying(by="Eve"))
    pipeline.withdraw(registry, work, Ground.CONTRACT_ENDED)
    with registry.read() as session:
        assert protected.works_of(session) == []
