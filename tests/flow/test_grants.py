"""Does a contract open exactly what it names, for as long as it holds, and nothing without paper?"""

from dataclasses import replace

import pytest

from picdeed.core.errors import UsageError
from picdeed.flow import gate as gating
from picdeed.flow import grants as granting
from picdeed.flow import license as licensing
from picdeed.flow import pipeline
from picdeed.flow.statements import Given
from picdeed.registry import pictures
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_pictures

USES = [Use.TRAIN, Use.SELL_ADAPTER]


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "contract.pdf"
    path.write_bytes(b"%PDF signed by Ada")
    return path


@pytest.fixture
def agency(registry, tmp_path):
    """Eight drawings without a licence, whose holder is named."""
    folder = tiny_pictures(tmp_path / "pictures")
    (folder / "metadata.jsonl").unlink(missing_ok=True)
    (folder / "metadata.csv").unlink(missing_ok=True)
    pipeline.register(registry, folder, "agency", given=Given(holder="Ada Agency"))
    return registry


@pytest.fixture
def contract(paper):
    return pipeline.Contract("Ada  agency", "Us", tuple(USES), paper, ends="2099-12-31")


def standing(registry, uses=USES):
    frozen = pipeline.freeze(registry, "agency", pipeline.Query(uses=tuple(uses), all=True))
    return pipeline.judge(registry, frozen.snapshot, "sprig", uses)


def at(monkeypatch, moment):
    """The registry's clock, for every stage that judges."""
    for module in (licensing, gating, granting):
        monkeypatch.setattr(module, "utc_now", lambda: moment)


def test_it_opens_what_it_names_and_no_more(agency, contract):
    assert standing(agency).verdict == "DENY"
    made = pipeline.grant(agency, "agency", contract)
    assert (made.covers, made.unmatched, made.state) == (8, 0, "in force")
    opened = standing(agency)
    assert opened.verdict == "DUTIES"
    assert {duty["kind"] for duty in opened.duties} >= {"contract"}
    assert any(r["clause"].startswith(made.id[:12]) for r in opened.reasons)
    assert standing(agency, [Use.TRAIN, Use.SELL_OUTPUTS]).verdict == "DENY"


def test_sharing_alone_does_not_open_training(agency, contract):
    pipeline.grant(agency, "agency", replace(contract, actions=(Use.SHARE_ADAPTER,)))
    assert standing(agency, [Use.SHARE_ADAPTER]).verdict == "DENY"


def test_the_same_contract_is_one_grant(agency, contract):
    first = pipeline.grant(agency, "agency", contract)
    assert pipeline.grant(agency, "agency", contract).id == first.id
    assert len(pipeline.list_grants(agency)) == 1


def test_it_ends_with_its_term_and_the_decision_with_it(agency, contract, monkeypatch):
    pipeline.grant(agency, "agency", replace(contract, starts="2030-01-01", ends="2030-06-30"))
    assert standing(agency).verdict == "DENY"  # not begun
    at(monkeypatch, "2030-06-25T12:00:00.000000Z")
    opened = standing(agency)
    assert (opened.verdict, opened.valid_until[:10]) == ("DUTIES", "2030-06-30")
    at(monkeypatch, "2030-07-01T00:00:00.000000Z")
    assert standing(agency).verdict == "DENY"


def test_it_can_be_ended_early_with_a_reason(agency, contract):
    made = pipeline.grant(agency, "agency", contract)
    before = standing(agency)
    with pytest.raises(UsageError, match="why"):
        pipeline.end(agency, made.id, " ")
    over = pipeline.end(agency, made.id[:12], "terminated by letter")
    assert over.state == "ended"
    after = standing(agency)
    assert after.verdict == "DENY"
    assert after.decision != before.decision
    assert pipeline.end(agency, made.id, "again").ends == over.ends


def test_pictures_that_come_later_are_not_covered(agency, contract, tmp_path):
    pipeline.grant(agency, "agency", contract)
    more = tiny_pictures(tmp_path / "more", n=9)
    (more / "metadata.jsonl").unlink(missing_ok=True)
    done = pipeline.register(agency, more, "agency", given=Given(holder="Ada Agency"))
    assert done.ingested.registered >= 1
    assert standing(agency).verdict == "DENY"


def test_a_licensor_whom_the_claims_do_not_name_asks_a_person(agency, contract):
    stranger = replace(contract, licensor="Somebody Else")
    with pytest.raises(UsageError, match="do not name"):
        pipeline.grant(agency, "agency", stranger)
    assert pipeline.list_grants(agency) == ()
    made = pipeline.grant(agency, "agency", replace(stranger, authority="agency agreement"))
    assert made.unmatched == 8
    assert standing(agency).verdict == "REVIEW"


def test_an_earlier_opt_out_is_answered_and_a_later_one_binds(agency, contract):
    rules = pipeline.rules()
    with agency.read() as session:
        one = pictures.all_ids(session)[0]
    no = {ClaimKind.OPT_OUT: "letter of 3 May"}
    pipeline.claim(agency, rules, one, no, pipeline.Saying(by="Eve"))
    pipeline.grant(agency, "agency", contract)
    assert standing(agency).verdict == "DUTIES"
    found = pipeline.explain(agency, one, Use.TRAIN)
    assert any("answered by grt_" in reason["clause"] for reason in found.reasons)
    later = {ClaimKind.OPT_OUT: "letter of 9 June"}
    pipeline.claim(agency, rules, one, later, pipeline.Saying(by="Eve"))
    assert standing(agency).verdict == "DENY"


def test_a_contract_does_not_replace_a_persons_release(agency, contract):
    with agency.read() as session:
        one = pictures.all_ids(session)[0]
    who = {ClaimKind.PERSONS: "identifiable"}
    pipeline.claim(agency, pipeline.rules(), one, who, pipeline.Saying(by="Eve"))
    uses = (Use.TRAIN, Use.SELL_OUTPUTS)
    pipeline.grant(agency, "agency", replace(contract, actions=uses))
    shut = standing(agency, list(uses))
    assert (shut.verdict, shut.drop) == ("DENY", (one,))


@pytest.mark.parametrize(
    "change",
    [
        {"licensor": " "},
        {"licensee": ""},
        {"actions": ()},
        {"survival": "maybe"},
        {"terms": {"colour": "red"}},
        {"starts": "2031-01-01", "ends": "2030-01-01"},
        {"ends": "soon"},
    ],
)
def test_a_contract_that_cannot_be_is_refused(agency, contract, change):
    with pytest.raises(UsageError):
        pipeline.grant(agency, "agency", replace(contract, **change))
    assert pipeline.list_grants(agency) == ()


def test_no_paper_no_grant(agency, contract, tmp_path):
    with pytest.raises(UsageError, match="no file"):
        pipeline.grant(agency, "agency", replace(contract, evidence=tmp_path / "nowhere.pdf"))
