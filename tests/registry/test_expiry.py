"""Is everything found that time alone ends, in the right span?"""

from __future__ import annotations

from picdeed.core.events import Event
from picdeed.registry import claims, decisions, expiry, grants, ledger
from picdeed.registry.pictures import PictureState

AT = "2026-01-02T03:04:05.000000Z"
LATER = "2026-01-03T03:04:05.000000Z"


def grant(name: str, **changes) -> grants.Grant:
    cells = {
        "id": f"grt_{name}",
        "licensor": "A. House",
        "licensee": "Us",
        "authority": "",
        "actions": ["train"],
        "scope": "dat_1",
        "starts": "2026-01-01",
        "survival": "unknown",
        "terms": {},
        "evidence_sha256": "e",
        "evidence_name": "contract.pdf",
        "recorded_by": "A. Clerk",
        "recorded_at": AT,
    }
    return grants.Grant(**(cells | changes))


def test_grants_end_by_their_term_or_earlier(registry, save):
    save(
        grant("a", ends="2026-03-01"),
        grant("b", ends="2026-09-01", ended_on="2026-02-01", ended_at="2026-01-20"),
        grant("c"),
        grant("d", ends="2026-09-01"),
    )
    with registry.read() as session:
        found = expiry.grants_ending(session, "2026-04-01", "2026-01-25")
        assert [(end, row.id) for end, row in found] == [
            ("2026-02-01", "grt_b"),
            ("2026-03-01", "grt_a"),
        ]
        # before it was ended nobody knew
        found = expiry.grants_ending(session, "2026-04-01", "2026-01-15")
        assert [row.id for _, row in found] == ["grt_a"]


def test_decisions_and_approvals_in_a_span(full, life):
    row = decisions.Approval(
        decision_id=life.decision.id, recorded_at=LATER, by="B", basis="b", until="2126-05-01"
    )
    with full.write() as session:
        ledger.write(session, Event.GATE_DECIDED, {}, [row])
    with full.read() as session:
        (decided,) = expiry.decisions_expiring(session, "2026-01-01", AT)
        assert decided.id == life.decision.id
        assert expiry.newest_alike(session, [decided]) == {decided.id: AT}
        assert expiry.decisions_expiring(session, AT, "2027") == []
        ((passed, about),) = expiry.approvals_expiring(session, "2126-01-01", "2126-05-01")
        assert (passed.by, about.id) == ("B", life.decision.id)
        assert expiry.approvals_expiring(session, "2126-05-01", "2127") == []


def test_what_was_taken_back_or_revoked_says_nothing(registry, save, make):
    a, b, c = make.picture("a"), make.picture("b"), make.picture("c", state=PictureState.REVOKED)
    rows = [make.claim(one.id, "robots", kind="checked", observed_at=AT) for one in (a, b, c)]
    save(a, b, c)
    save(*rows)
    save(claims.ClaimCorrection(corrects_id=rows[1].id, because="wrong", corrected_at=AT))
    with registry.read() as session:
        assert expiry.last_said(session, "checked") == [(a.id, AT, "robots")]
