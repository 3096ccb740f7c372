"""Is an impact report found when it is missing, edited, or signed by somebody else?"""

from __future__ import annotations

import json

import pytest

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import canonical_json, sha256
from picdeed.registry import ledger
from picdeed.registry.check import check_ledger
from picdeed.registry.heads import create_key, load_key
from picdeed.registry.reports import keep_report, read_report, report_file, sign_report


@pytest.fixture
def told(registry, make, save):
    """A registry with one revocation and its report."""
    row = make.one_life().revocation
    data = sign_report(load_key(registry.ledger_key), {"revocation": row.id, "nodes": []})
    row.impact = {"sha256": sha256(data)}
    keep_report(registry, row.id, data)
    save(row)
    return registry, row.id


def kinds(registry):
    return [(p.subject, p.kind) for p in check_ledger(registry).problems]


def test_a_report_is_read_and_verified(told):
    registry, revocation = told
    assert read_report(registry, revocation)["revocation"] == revocation
    assert kinds(registry) == []


def test_a_missing_report_is_a_problem(told):
    registry, revocation = told
    report_file(registry, revocation).unlink()
    assert kinds(registry) == [(revocation, "report")]
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_report(registry, revocation)


def test_an_edited_report_is_a_problem(told):
    registry, revocation = told
    path = report_file(registry, revocation)
    document = json.loads(path.read_bytes())
    document["nodes"] = [{"id": "img_1"}]
    path.write_bytes(canonical_json(document))
    assert kinds(registry) == [(revocation, "report")]
    with pytest.raises(IntegrityError, match="altered"):
        read_report(registry, revocation)


def test_a_report_signed_with_another_key_is_a_problem(told, tmp_path):
    registry, revocation = told
    (tmp_path / "other").mkdir()
    other = create_key(tmp_path / "other" / "key.pem")
    keep_report(registry, revocation, sign_report(other, {"revocation": revocation, "nodes": []}))
    assert kinds(registry) == [(revocation, "report")]
    with pytest.raises(IntegrityError, match="altered"):
        read_report(registry, revocation)


def test_a_revocation_from_before_there_were_reports_is_none(registry, make, save):
    save(make.one_life().revocation)
    assert kinds(registry) == []
    with registry.read() as session:
        assert ledger.last_event(session)[0] == 2
