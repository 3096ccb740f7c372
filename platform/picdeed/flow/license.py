"""Under which licence does each picture stand? Claims become one conclusion with its verdicts.

A picture's claims are those of every copy of it that the registry knows, so an opt-out found in
a thumbnail binds the original too, whichever came first. What changed since the last time stands
in the ledger, so an unchanged million costs one question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import hash_json
from picdeed.flow.standing import claims_of, grant_of
from picdeed.registry import claims as claim_rows
from picdeed.registry import (
    conclusions,
    datasets,
    grants,
    ledger,
    pictures,
    rollups,
    similar,
)
from picdeed.registry.conclusions import Conclusion, Standing
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import fresh, merged
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim, ClaimKind
from picdeed.rights.decide import Conclusion as Concluded
from picdeed.rights.decide import conclude

BATCH = 2_000
MARK = "license"
# What a conclusion depends on. Whoever adds a table here teaches `_touched` to read its keys.
DEPENDS = ("picture_claims", "claim_corrections", "grants", "grant_subjects", "cluster_members")


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

    A conclusion is only written again when its claims, contracts or the licence rules changed.
    """
    with registry.read() as session:
        wanted = _wanted(session, dataset, only)
    changed = _conclude_all(registry, catalogue, wanted, progress)
    return _summary(registry, wanted, changed)


def settle(registry: Registry, catalogue: Catalogue, *, progress: Progress = silent) -> int:
    """Conclude what is pending in the whole registry; gives the number of changed conclusions.

    Pending is what the ledger says was written since the last time, what was concluded under
    other rules, and what time alone may have changed (a contract's end, a check grown stale).
    """
    with registry.read() as session:
        seq, _ = ledger.last_event(session)
        mark = rollups.watermark(session, MARK)
        wanted = _pending(session, catalogue, mark)
    changed = _conclude_all(registry, catalogue, wanted, progress)
    if mark is None or mark.seq < seq:
        with registry.write() as session:
            # Only what was there when the reading began: a writer may have come in between.
            rollups.set_watermark(session, MARK, seq)
    return changed


def foresee(
    registry: Registry, catalogue: Catalogue, claims: Mapping[str, Sequence[Claim]]
) -> dict[str, tuple[str, dict[str, str]]]:
    """(licence, verdicts) by picture, if these claims came to what is on record; copies aside."""
    now = utc_now()
    with registry.read() as session:
        said = claim_rows.in_force(session, claims)
        opened = grants.covering(session, claims)
    found = {}
    for picture, new in claims.items():
        contracts = [
            grant_of(row, now, matched=matched) for row, matched in opened.get(picture, ())
        ]
        known = claims_of(said.get(picture, ()))
        answer = conclude([*known, *new], catalogue, grants=contracts, at=now)
        verdicts = {str(use): str(verdict) for use, verdict in answer.verdicts.items()}
        found[picture] = (answer.license, verdicts)
    return found


def _pending(session: Session, catalogue: Catalogue, mark: rollups.Watermark | None) -> list[str]:
    if mark is None:
        return pictures.all_ids(session)
    touched = set(conclusions.outdated(session, catalogue.policy_hash, utc_now()))
    touched |= _touched(session, mark.seq)
    copies = similar.same_picture(session, touched)
    return sorted(touched | {one for group in copies.values() for one in group})


def _touched(session: Session, seq: int) -> set[str]:
    """Pictures whose claims, contracts or clusters were written behind event `seq`."""
    keys: dict[str, set[str]] = {name: set() for name in DEPENDS}
    found: set[str] = set()
    for table, key, _ in rollups.rows_since(session, seq, DEPENDS):
        keys[table].add(str(key[0]))
        if table in {"cluster_members", "grant_subjects"}:
            found.add(str(key[1]))
    found |= claim_rows.pictures_of(session, keys["picture_claims"] | keys["claim_corrections"])
    for grant in sorted(keys["grants"]):
        found.update(grants.subjects_of(session, grant))
    inside = similar.cluster_members(session, keys["cluster_members"])
    found |= {row.picture_id for rows in inside.values() for row in rows}
    return {one for one in found if one.startswith("img_")}


def _wanted(session: Session, dataset: str | None, only: Iterable[str] | None) -> list[str]:
    if only is not None:
        return sorted(set(only))
    if dataset is None:
        return pictures.all_ids(session)
    home = datasets.by_name(session, dataset)
    return [member.picture_id for member in datasets.members(session, home.id)]


def _conclude_all(
    registry: Registry, catalogue: Catalogue, wanted: Sequence[str], progress: Progress
) -> int:
    changed = 0
    for start in range(0, len(wanted), BATCH):
        progress("license", start, len(wanted))
        changed += _conclude_batch(registry, catalogue, wanted[start : start + BATCH])
    progress("license", len(wanted), len(wanted))
    return changed


def _conclude_batch(registry: Registry, catalogue: Catalogue, wanted: Sequence[str]) -> int:
    now = utc_now()
    with registry.write() as session:
        copies = similar.same_picture(session, wanted)
        everyone = {*wanted, *(member for group in copies.values() for member in group)}
        said = claim_rows.in_force(session, everyone)
        opened = grants.covering(session, wanted)
        before = conclusions.conclusions(session, wanted)
        answers: dict[str, Standing] = {}
        rows: list[Conclusion] = []
        for picture in wanted:
            others = [member for member in copies.get(picture, ()) if member != picture]
            contracts = [
                grant_of(row, now, matched=matched) for row, matched in opened.get(picture, ())
            ]
            claims_hash = hash_json(
                [
                    *(claim_rows.claims_hash(said.get(one, ())) for one in (picture, *others)),
                    [[grant.id, grant.ends, grant.matched] for grant in contracts],
                ]
            )
            old = before.get(picture)
            if old and _stands(old, claims_hash, catalogue.policy_hash, now):
                continue
            answer = _standing(
                conclude(
                    claims_of(said.get(picture, ())),
                    catalogue,
                    copies=[claims_of(said.get(one, ())) for one in others],
                    grants=contracts,
                    at=now,
                )
            )
            answers[answer.id] = answer
            rows.append(
                Conclusion(
                    picture_id=picture,
                    standing_id=answer.id,
                    claims_hash=claims_hash,
                    policy_hash=catalogue.policy_hash,
                    concluded_at=now,
                )
            )
        # Answers first: the rows that refer to them may be known rows that change.
        new = fresh(session, answers.values())
        if new:
            payload = {"answers": len(new), "policy": catalogue.policy_hash}
            ledger.write(session, Event.LICENSE_CONCLUDED, payload, new)
        changed = merged(session, rows, ignoring=("concluded_at",))
        if changed:
            payload = {"pictures": len(changed), "policy": catalogue.policy_hash}
            ledger.write(session, Event.LICENSE_CONCLUDED, payload, changed)
    return len(changed)


def _stands(old: Conclusion, claims_hash: str, policy_hash: str, now: str) -> bool:
    known = (old.claims_hash, old.policy_hash) == (claims_hash, policy_hash)
    return known and not (old.standing.until is not None and old.standing.until <= now)


def _standing(found: Concluded) -> Standing:
    return conclusions.new_standing(
        {
            "license": found.license,
            "rule": found.rule,
            "conflict": found.conflict,
            "opt_out": found.opt_out,
            "checked": found.checked,
            "verdicts": {str(use): str(verdict) for use, verdict in found.verdicts.items()},
            "reasons": [reason.as_json() for reason in found.reasons],
            "findings": [finding.as_json() for finding in found.findings],
            "grants": [held.as_json() for held in found.held],
            "until": found.until,
        }
    )


def _summary(registry: Registry, wanted: Sequence[str], changed: int) -> Licensed:
    with registry.read() as session:
        standing = conclusions.conclusions(session, wanted)
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
