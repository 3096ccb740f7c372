"""Does a picture show something that must not come back? Revoked or opted out, here or elsewhere.

Protected are this registry's pictures that were revoked on a ground which others should know of,
those that an opt-out names, and the fingerprints that came with feeds. Whatever looks like one of
them is compared: with ours by pixels, with a feed's by its codes. A copy (cropped, mirrored and
framed ones too) gets an opt-out claim, so DENY; where only a doubt remains REVIEW. A person who
knows better takes the claim back.

What was screened stands in a watermark: new pictures meet all works, new works all pictures, and
whatever a kill left undone is done by the next call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from picdeed.core.events import Event, Progress, silent
from picdeed.flow.edges import verdicts
from picdeed.flow.foreign import (
    Certain,
    Protection,
    copy_claim,
    judged_by_looks,
    kind_by_looks,
    named_elsewhere,
)
from picdeed.flow.grounds import TOLD
from picdeed.flow.likeness import corners_of
from picdeed.flow.listed import (
    NO_CORNERS,
    BothWays,
    Candidate,
    Listing,
    Side,
    candidates,
    compared,
    corners_by,
    kind_from,
)
from picdeed.flow.looks import code_row, corners_in
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.local import ALGORITHM as CORNERS_ALGORITHM
from picdeed.imaging.local import Local
from picdeed.imaging.verify import PairKind
from picdeed.registry import claims as claim_rows
from picdeed.registry import codes, ledger, looks, pictures, protected, rollups, tombstones
from picdeed.registry.codes import CodeRow, PairVerdict
from picdeed.registry.looks import TombstoneLook
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.similar import Pair
from picdeed.registry.tables import fresh
from picdeed.rights.claims import ClaimKind, ClaimStatus

MARK = "protected"
# Who is protected, and who is to be compared with them.
DEPENDS = (
    "pictures",
    "picture_claims",
    "claim_corrections",
    "revocation_effects",
    "tombstone_looks",
    "codes",
    "pairs",
    "pair_decisions",
)
# Corners of up to this many works are compared (the newest), and when a work becomes protected
# with up to this many pictures that were here before; beyond it codes alone. Pictures that arrive
# are always compared by their corners too.
WORKS_UP_TO = 5_000
BEFORE_UP_TO = 20_000
_COPY = (PairKind.SAME_PIXELS, PairKind.NEAR, PairKind.CROP_OF, PairKind.CONTAINS)
REVOKED = "revoked"
_STATE = f"{ALGORITHM} {CORNERS_ALGORITHM}"


@dataclass(frozen=True, slots=True)
class Caught:
    """A picture that shows a protected work, or may; `kind` is what it is to it."""

    picture: str
    work: Protection
    kind: str
    certain: Certain

    @property
    def said(self) -> str:
        """For a person, with the verdict that it leads to."""
        work = self.work
        because = f"{work.name} ({work.ground} since {work.since[:10]})"
        if self.certain is Certain.COPY:
            return f"{self.kind} {because}: DENY"
        return f"looks like {because}: REVIEW"


@dataclass(frozen=True, slots=True)
class Work:
    """A protected work as the search takes it; `look` only where it came with a feed."""

    why: Protection
    code: CodeRow
    look: TombstoneLook | None = None

    @property
    def key(self) -> str:
        """The picture's id, or feed and entry."""
        return self.code.picture_id


@dataclass(slots=True)
class _Pending:
    """What is to be compared: `new` pictures with all works, `rest` with the `fresh` works."""

    seq: int
    works: list[Work]
    new: list[CodeRow]
    rest: list[CodeRow]
    fresh: set[str]
    paired: set[tuple[str, str]] = field(default_factory=set)


def screen(registry: Registry, *, progress: Progress = silent) -> tuple[Caught, ...]:
    """Compare what is pending; every picture that was caught gets its claim. Gives the new ones."""
    with registry.read() as session:
        pending = _pending(session)
    if pending is None:
        return ()
    found = _caught(registry, pending, progress)
    return _record(registry, found, pending.seq)


def works_of(session: Session) -> list[Work]:
    """Everything that is protected and can be compared, the newest first; revoked before opted out.

    A fingerprint of another algorithm cannot.
    """
    ours: dict[str, Protection] = {}
    for one in protected.revoked(session, TOLD):
        ours[one.picture] = Protection(one.picture, REVOKED, one.ground, one.since)
    for one in protected.opted_out(session, ClaimKind.OPT_OUT, ClaimStatus.PARSED):
        said = f"opt-out {one.ground}"
        ours.setdefault(one.picture, Protection(one.picture, "opted-out", said, one.since))
    rows = {row.picture_id: row for row in codes.of_pictures(session, ours, ALGORITHM)}
    found = [Work(why, rows[one]) for one, why in ours.items() if one in rows]
    for look in reversed(looks.all_looks(session)):
        if look.algorithm == ALGORITHM:
            entry = tombstones.at(session, look.feed, look.seq)
            assert entry is not None  # noqa: S101 - a foreign key holds it
            found.append(Work(named_elsewhere(entry), code_row(look), look))
    return found


def work_corners(
    registry: Registry, works: Sequence[Work], progress: Progress = silent
) -> list[Local]:
    """Corners by work, of as many as are compared by them; none for the rest."""
    found = [NO_CORNERS] * len(works)
    for at, work in enumerate(works[:WORKS_UP_TO]):
        if work.look is not None:
            found[at] = corners_in(work.look)
        else:
            found[at] = corners_of(registry, work.key.removeprefix("img_"))[0]
        progress("protected works", at + 1, min(len(works), WORKS_UP_TO))
    return found


def meet(registry: Registry, names: Collection[str], *, progress: Progress = silent) -> bool:
    """Compare these pictures with all others now, so that what is done to them reaches copies.

    Gives whether there was anything to compare.
    Beyond 5,000 pictures dedup looks for crops among a few only; a picture that is about to be
    revoked is worth a look at all.
    """
    with registry.read() as session:
        every = codes.all_codes(session, ALGORITHM)
    works = [row for row in every if row.picture_id in names][:WORKS_UP_TO]
    if not works or len(every) == 1:
        return False
    corners: list[BothWays] = []
    if len(every) <= BEFORE_UP_TO:
        corners = corners_by(registry, [row.picture_id for row in every], progress)
    theirs = [one for one, _ in corners_by(registry, [row.picture_id for row in works], silent)]
    found = candidates(Side(every, corners), Listing(works, theirs))
    pairs = {(every[one.at].picture_id, works[one.listed].picture_id) for one in found}
    asked = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    compared(registry, asked, progress)
    return bool(asked)


def _pending(session: Session) -> _Pending | None:
    """What is to be done; None where nothing was written that matters."""
    seq, _ = ledger.last_event(session)
    mark = rollups.watermark(session, MARK)
    since = mark.seq if mark is not None and mark.state == _STATE else None
    if since is not None and not rollups.changed_since(session, since, DEPENDS):
        return None
    works = works_of(session)
    if not works:
        return _Pending(seq, [], [], [], set())
    usable = protected.usable(session)
    if since is None:
        new = [row for row in codes.all_codes(session, ALGORITHM) if row.picture_id in usable]
        return _Pending(seq, works, new, [], set())
    touched, arrived, paired = _touched(session, since)
    fresh_works = {work.key for work in works if work.key in touched}
    rest: list[CodeRow] = []
    if fresh_works:
        every = codes.all_codes(session, ALGORITHM)
        rest = [row for row in every if row.picture_id in usable - arrived]
    new = codes.of_pictures(session, arrived & usable, ALGORITHM)
    return _Pending(seq, works, new, rest, fresh_works, paired)


def _touched(session: Session, since: int) -> tuple[set[str], set[str], set[tuple[str, str]]]:
    """Works and pictures that were written behind an event, and pairs that were."""
    touched, arrived = set(), set()
    paired: set[tuple[str, str]] = set()
    claimed: set[str] = set()
    for table, key, _ in rollups.rows_since(session, since, DEPENDS):
        match table:
            case "pictures":
                touched.add(str(key[0]))
            case "codes":
                arrived.add(str(key[0]))
            case "revocation_effects":
                touched.add(str(key[1]))
            case "tombstone_looks":
                touched.add(f"{key[0]}:{key[1]}")
            case "pairs":
                paired.add((str(key[0]), str(key[1])))
            case "picture_claims" | "claim_corrections":
                claimed.add(str(key[0]))
            case _:
                pass  # pair_decisions: every decision that stands is read anyway
    return touched | claim_rows.pictures_of(session, claimed), arrived, paired


def _caught(registry: Registry, pending: _Pending, progress: Progress) -> list[Caught]:
    works = pending.works
    if not works:
        return []
    some = [at for at, work in enumerate(works) if work.key in pending.fresh]
    corners = work_corners(registry, works, progress) if pending.new or some else []
    found = _met(registry, pending.new, works, corners, progress, most=None)
    found += _met(
        registry,
        pending.rest,
        [works[at] for at in some],
        [corners[at] for at in some],
        progress,
        most=BEFORE_UP_TO,
    )
    by_feed = _by_looks(registry, [one for one in found if one.work.look is not None])
    ours = {(one.name, one.work.key) for one in found if one.work.look is None}
    asked = {(min(pair), max(pair)) for pair in ours if pair[0] != pair[1]}
    compared(registry, asked, progress)
    return by_feed + _by_pixels(registry, pending, asked)


@dataclass(frozen=True, slots=True)
class _Met:
    """A picture and a work that may be one; `corners` and `works_corners` are theirs."""

    code: CodeRow
    corners: BothWays
    work: Work
    works_corners: Local
    found: Candidate

    @property
    def name(self) -> str:
        """The picture's id."""
        return self.code.picture_id


def _met(
    registry: Registry,
    rows: Sequence[CodeRow],
    works: Sequence[Work],
    works_corners: Sequence[Local],
    progress: Progress,
    *,
    most: int | None,
) -> list[_Met]:
    if not rows or not works:
        return []
    corners: list[BothWays] = []
    if most is None or len(rows) <= most:
        corners = corners_by(registry, [row.picture_id for row in rows], progress)
    listed = Listing([work.code for work in works], works_corners)
    return [
        _Met(
            rows[one.at],
            corners[one.at] if corners else (NO_CORNERS, NO_CORNERS),
            works[one.listed],
            works_corners[one.listed],
            one,
        )
        for one in candidates(Side(rows, corners), listed)
    ]


def _by_looks(registry: Registry, met: Sequence[_Met]) -> list[Caught]:
    """Against a feed's fingerprints there are no pixels."""
    with registry.read() as session:
        rows = pictures.by_ids(session, {one.name for one in met})
    caught = []
    for one in met:
        assert one.work.look is not None  # noqa: S101 - the caller chose these
        seen = (one.code, rows[one.name], one.corners)
        certain = judged_by_looks(one.found, seen, (one.work.look, one.works_corners))
        if certain is not None:
            caught.append(Caught(one.name, one.work.why, kind_by_looks(certain), certain))
    return caught


def _by_pixels(
    registry: Registry, pending: _Pending, asked: Collection[tuple[str, str]]
) -> list[Caught]:
    """Against works of ours pixels decide, and people; what was compared before counts too."""
    works = {work.key: work for work in pending.works if work.look is None}
    news = {row.picture_id for row in pending.new} | (pending.fresh & works.keys())
    around = news | {one for pair in {*asked, *pending.paired} for one in pair}
    with registry.read() as session:
        pairs = protected.pairs_with(session, min(works.keys(), around, key=len))
        said = verdicts(codes.decisions(session))
        usable = protected.usable(session)
    caught = []
    for pair in pairs:
        if (pair.a, pair.b) not in said:
            for picture, work in _sides((pair.a, pair.b), works, usable):
                caught += _told(pair, picture, work)
    for both, verdict in said.items():
        if verdict is PairVerdict.MERGE:
            for picture, work in _sides(both, works, usable):
                caught.append(Caught(picture, work.why, str(PairKind.NEAR), Certain.COPY))
    return caught


def _sides(
    pair: tuple[str, str], works: Mapping[str, Work], usable: Collection[str]
) -> Iterator[tuple[str, Work]]:
    """(picture, work) of a pair, once or twice or not at all.

    Who is opted out itself is not opted out again as a copy; the revoked bind it all the same.
    """
    for picture, other in (pair, pair[::-1]):
        work = works.get(other)
        if work is None or picture not in usable:
            continue
        if picture not in works or work.why.word == REVOKED:
            yield picture, work


def _told(pair: Pair, picture: str, work: Work) -> list[Caught]:
    kind = kind_from(pair, picture)
    if kind in _COPY:
        return [Caught(picture, work.why, str(kind), Certain.COPY)]
    if kind is not PairKind.UNRELATED and pair.evidence.get("review"):
        return [Caught(picture, work.why, str(kind), Certain.DOUBT)]
    return []


def _record(registry: Registry, found: Sequence[Caught], seq: int) -> tuple[Caught, ...]:
    """A claim for each, all in one transaction; gives those that were not claimed before."""
    now = utc_now()
    made = {}
    for one in found:
        said = copy_claim(one.work, one.kind, one.certain).as_json()
        row = claim_rows.new_claim(one.picture, **{**said, "observed_at": now})
        made[row.id] = (one, row)
    with registry.write() as session:
        new = fresh(session, [row for _, row in made.values()])
        if new:
            payload = {"claims": len(new), "pictures": len({row.picture_id for row in new})}
            ledger.write(session, Event.REVOKE_CAUGHT, payload, new)
        # Only what was there when the reading began: a writer may have come in between.
        rollups.set_watermark(session, MARK, seq, _STATE)
    return tuple(made[row.id][0] for row in new)
