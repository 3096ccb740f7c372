"""What does a person state about a picture, take back, or elect? Recorded beside all else.

A person's word is one claim among others: it binds like they do, opens nothing by itself, and
is corrected by a later one. What a file or a package says is never corrected, only answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.core.events import Event
from picdeed.core.moments import moment
from picdeed.flow.targets import pictures_meant
from picdeed.registry import claims as claim_rows
from picdeed.registry import ledger, similar
from picdeed.registry.claims import ClaimCorrection, PictureClaim
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import Table, fresh
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    Release,
    license_claim,
    plain_claim,
)
from picdeed.rights.expression import AllOf, AnyOf, Tree, parse_license, render, tree_of

PARSER = "picdeed.person/1"
LONGEST = 2_000
WORDS: Mapping[ClaimKind, frozenset[str]] = {
    ClaimKind.PERSONS: frozenset({"identifiable", "none"}),
    ClaimKind.MODEL_RELEASE: frozenset(Release),
    ClaimKind.PROPERTY_RELEASE: frozenset(Release),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """Who says it, on what ground, proven by which file."""

    by: str = ""
    because: str = ""
    evidence: Path | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was recorded: ids of new claims, and of claims that were taken back."""

    target: str
    pictures: int
    claims: tuple[str, ...]
    taken_back: tuple[str, ...]


def claim(
    registry: Registry,
    catalogue: Catalogue,
    target: str,
    said: Mapping[ClaimKind, str],
    saying: Saying,
    *,
    corrects: str | None = None,
) -> Claimed:
    """Record statements about a picture or about every picture of a dataset.

    `corrects` takes one earlier claim of a person back (an id or a unique prefix), with or
    without another in its place. Raises UsageError on words that cannot be what they should be;
    nothing is recorded then. The same said again is the same claim.
    """
    note = _note(registry, saying)
    made = [_made(kind, text, catalogue, note) for kind, text in said.items()]
    if not made and corrects is None:
        raise UsageError("Nothing was said, so nothing was recorded.", hint="See --help.")
    if corrects is not None and not saying.because.strip():
        raise UsageError("A correction needs its reason; nothing was changed.", hint="--because")
    with registry.write() as session:
        whole, ids = pictures_meant(session, target)
        if corrects is not None and len(ids) != 1:
            raise UsageError("A correction is about one picture; nothing was changed.")
        now = utc_now()
        rows = [_row(picture, one, now) for picture in ids for one in made]
        old = _correctable(session, ids[0], corrects) if corrects is not None else None
        _refuse_taken_back(session, ids, rows)
        new: list[Table] = list(fresh(session, rows))
        if old is not None:
            standing = rows[0].id if rows else None
            new += _correction(old, standing, saying.because, now)
        if new:
            payload = {"target": whole, "by": saying.by, "corrects": old.id if old else None}
            ledger.write(session, Event.CLAIMS_ADDED, payload, new)
    added = tuple(row.id for row in new if isinstance(row, PictureClaim))
    return Claimed(whole, len(ids), added, (old.id,) if old else ())


def elect(
    registry: Registry, catalogue: Catalogue, target: str, side: str, saying: Saying
) -> Claimed:
    """Take one side of an OR for a picture or for every picture of a dataset that offers it.

    An earlier election between the same sides is taken back. Raises UsageError when no picture
    offers this side.
    """
    chosen = parse_license(side, catalogue.aliases)
    if chosen.expression is None:
        raise UsageError(f"{side[:80]!r} names no licence ({chosen.why}); nothing was elected.")
    note = _note(registry, saying)
    one = Claim(
        ClaimSource.PERSON,
        ClaimKind.ELECTION,
        side.strip(),
        chosen.expression,
        ClaimStatus.PARSED,
        PARSER,
        note,
    )
    with registry.write() as session:
        whole, ids = pictures_meant(session, target)
        copies = similar.same_picture(session, ids)
        everyone = {*ids, *(member for group in copies.values() for member in group)}
        said = claim_rows.in_force(session, everyone)
        now = utc_now()
        new: list[Table] = []
        back: list[str] = []
        offered = 0
        for picture in ids:
            group = copies.get(picture, [picture])
            others = _other_sides(
                [row for one_ in group for row in said.get(one_, ())], chosen.expression
            )
            if others is None:
                continue
            offered += 1
            row = _row(picture, one, now)
            new += fresh(session, [row])
            for old in said.get(picture, ()):
                if old.kind == ClaimKind.ELECTION and old.parsed in others:
                    new += _correction(old, row.id, saying.because or "elected anew", now)
                    back.append(old.id)
        if not offered:
            raise UsageError(
                f"No picture of {target} offers {chosen.expression} as a side of an OR; "
                "nothing was elected.",
                hint="picdeed claims list shows what is claimed.",
            )
        if new:
            payload = {"target": whole, "elected": chosen.expression, "by": saying.by}
            ledger.write(session, Event.CLAIMS_ADDED, payload, new)
    added = tuple(row.id for row in new if isinstance(row, PictureClaim))
    return Claimed(whole, offered, added, tuple(back))


def _made(kind: ClaimKind, text: str, catalogue: Catalogue, note: str) -> Claim:
    if not text.strip() or len(text) > LONGEST:
        raise UsageError(f"{kind}: {len(text)} characters are no statement; nothing was recorded.")
    source = ClaimSource.PERSON
    if kind in (ClaimKind.LICENSE, ClaimKind.CAPTION_LICENSE):
        read = replace(license_claim(text, source, catalogue.aliases), kind=kind)
        if read.parsed is None:
            raise UsageError(
                f"{text[:80]!r} is no licence that picdeed can parse ({read.note}); nothing was "
                "recorded.",
                hint="Write an SPDX expression such as CC-BY-4.0.",
            )
        return replace(read, note=note)
    allowed = WORDS.get(kind)
    if allowed is not None and text not in allowed:
        raise UsageError(
            f"{text[:80]!r} is no word for {kind}; nothing was recorded.",
            hint=f"One of: {', '.join(sorted(allowed))}.",
        )
    if kind is ClaimKind.WAIVER:
        text = moment(text, end_of_day=True)
    return replace(plain_claim(kind, text, source, parser=PARSER), note=note)


def _note(registry: Registry, saying: Saying) -> str:
    parts = [f"by {saying.by.strip()}"] if saying.by.strip() else []
    if saying.because.strip():
        parts.append(saying.because.strip())
    if saying.evidence is not None:
        parts.append(f"evidence sha256:{registry.blobs.put_file(saying.evidence)}")
    return "; ".join(parts)[:LONGEST]


def _row(picture: str, one: Claim, now: str) -> PictureClaim:
    return claim_rows.new_claim(picture, **{**one.as_json(), "observed_at": now})


def _correctable(session: Session, picture: str, claim_id: str) -> PictureClaim:
    mine = [row for row in claim_rows.of(session, picture) if row.id.startswith(claim_id)]
    if len(mine) != 1 or not claim_id:
        raise UnknownSubject(
            f"{picture[:12]} has {len(mine) or 'no'} claims {claim_id!r}; nothing was changed.",
            hint=f"picdeed claims list {picture[:12]} names them.",
        )
    # What picdeed itself saw in a picture may be wrong, and a person may say so.
    if mine[0].source not in (ClaimSource.PERSON, ClaimSource.LIKENESS):
        raise UsageError(
            f"{claim_id[:12]} is from {mine[0].source}: only a person's claim, or a likeness, can "
            "be taken back; nothing was changed.",
            hint="What a file says is answered by a contract: picdeed grants add.",
        )
    return mine[0]


def _correction(
    old: PictureClaim, standing: str | None, because: str, now: str
) -> list[ClaimCorrection]:
    return [
        ClaimCorrection(
            corrects_id=old.id, claim_id=standing, because=because[:LONGEST], corrected_at=now
        )
    ]


def _refuse_taken_back(session: Session, ids: Sequence[str], rows: Sequence[PictureClaim]) -> None:
    back = claim_rows.corrections(session, ids)
    for row in rows:
        if row.id in back:
            raise UsageError(
                f"Exactly this was taken back on {back[row.id].corrected_at[:10]} "
                f"({back[row.id].because}); nothing was recorded.",
                hint="Say it with --because to say it anew.",
            )


def _other_sides(rows: Sequence[PictureClaim], side: str) -> frozenset[str] | None:
    """The sides that an OR offers beside `side`; None when no claim offers it."""
    offers = [
        offer
        for row in rows
        if row.kind in (ClaimKind.LICENSE, ClaimKind.CAPTION_LICENSE) and row.parsed
        for offer in _offers(tree_of(row.parsed))
        if side in offer
    ]
    return frozenset().union(*offers) - {side} if offers else None


def _offers(tree: Tree) -> list[frozenset[str]]:
    if isinstance(tree, AnyOf):
        return [frozenset(render(part) for part in tree.parts)]
    return [o for part in tree.parts for o in _offers(part)] if isinstance(tree, AllOf) else []
