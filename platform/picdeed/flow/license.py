"""Under which licence does each picture stand? Claims become one conclusion with its verdicts.

A picture's claims are those of every copy of it that the registry knows, so an opt-out found in
a thumbnail binds the original too, whichever came first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import hash_json
from picdeed.registry import claims as claim_rows
from picdeed.registry import datasets, ledger, pictures, similar
from picdeed.registry.claims import Conclusion, PictureClaim
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import merged
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim, ClaimKind
from picdeed.rights.decide import conclude

BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sources of truth that disagree, and the rule that settled it."""

    picture: str
    claims: tuple[str, ...]
    concluded: str
    rule: str


@dataclass(frozen=True, slots=True)
class Licensed:
    pictures: int
    changed: int
    by_license: Mapping[str, int]
    conflicts: tuple[Conflict, ...]


def license(  # noqa: A001 - the stage's word; the builtin is only a REPL greeting
    registry: Registry,
    catalogue: Catalogue,
    dataset: str | None = None,
    *,
    only: Iterable[str] | None = None,
    progress: Progress = silent,
) -> Licensed:
    """Conclude every picture of the dataset (or all, or `only` these ids) from its claims.

    A conclusion is only written again when its claims or the licence rules changed.
    """
    with registry.read() as session:
        wanted = _wanted(session, dataset, only)
    changed = 0
    for start in range(0, len(wanted), BATCH):
        progress("license", start, len(wanted))
        changed += _conclude_batch(registry, catalogue, wanted[start : start + BATCH])
    progress("license", len(wanted), len(wanted))
    return _summary(registry, wanted, changed)


def _wanted(session: Session, dataset: str | None, only: Iterable[str] | None) -> list[str]:
    if only is not None:
        return sorted(set(only))
    if dataset is None:
        return pictures.all_ids(session)
    home = datasets.by_name(session, dataset)
    return [member.picture_id for member in datasets.members(session, home.id)]


def _conclude_batch(registry: Registry, catalogue: Catalogue, wanted: Sequence[str]) -> int:
    with registry.write() as session:
        copies = similar.same_picture(session, wanted)
        everyone = {*wanted, *(member for group in copies.values() for member in group)}
        said = claim_rows.of_many(session, everyone)
        standing = claim_rows.conclusions(session, wanted)
        rows = []
        for picture in wanted:
            others = [member for member in copies.get(picture, ()) if member != picture]
            claims_hash = hash_json(
                [claim_rows.claims_hash(said.get(one, ())) for one in (picture, *others)]
            )
            old = standing.get(picture)
            known = (old.claims_hash, old.policy_hash) if old else None
            if known != (claims_hash, catalogue.policy_hash):
                rows.append(_concluded(picture, others, said, catalogue, claims_hash))
        rows = merged(session, rows, ignoring=("concluded_at",))
        if rows:
            payload = {"pictures": len(rows), "policy": catalogue.policy_hash}
            ledger.write(session, Event.LICENSE_CONCLUDED, payload, rows)
    return len(rows)


def _concluded(
    picture: str,
    others: Sequence[str],
    said: Mapping[str, Sequence[PictureClaim]],
    catalogue: Catalogue,
    claims_hash: str,
) -> Conclusion:
    found = conclude(
        _claims(said.get(picture, ())),
        catalogue,
        copies=[_claims(said.get(one, ())) for one in others],
    )
    return Conclusion(
        picture_id=picture,
        license=found.license,
        rule=found.rule,
        conflict=found.conflict,
        opt_out=found.opt_out,
        verdicts={str(use): str(verdict) for use, verdict in found.verdicts.items()},
        reasons=[reason.as_json() for reason in found.reasons],
        claims_hash=claims_hash,
        policy_hash=catalogue.policy_hash,
        concluded_at=utc_now(),
    )


def _claims(rows: Sequence[PictureClaim]) -> list[Claim]:
    """Registry rows as the facts that rights knows."""
    return [
        Claim.from_json(
            {
                "source": row.source,
                "kind": row.kind,
                "raw": row.raw,
                "parsed": row.parsed,
                "status": row.status,
                "parser": row.parser,
                "note": row.note,
            }
        )
        for row in rows
    ]


def _summary(registry: Registry, wanted: Sequence[str], changed: int) -> Licensed:
    with registry.read() as session:
        standing = claim_rows.conclusions(session, wanted)
        torn = [row for row in standing.values() if row.conflict]
        said = claim_rows.of_many(session, [row.picture_id for row in torn])
    conflicts = tuple(
        Conflict(
            row.picture_id,
            tuple(c.raw for c in said.get(row.picture_id, ()) if c.kind == ClaimKind.LICENSE),
            row.license,
            row.rule,
        )
        for row in torn
    )
    counted = Counter(row.license for row in standing.values())
    return Licensed(len(wanted), changed, dict(counted.most_common()), conflicts)
