"""Does a contract count only while it holds, for what it names, from whom it should come?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, license_claim
from picdeed.rights.conclude import conclude
from picdeed.rights.grants import Grant, Held, best, hold, next_change
from picdeed.rights.verdict import Use, Verdict

AT = "2026-06-01T00:00:00.000000Z"
DAYS = [f"2026-0{month}-01T00:00:00.000000Z" for month in range(1, 10)]


def contract(**change):
    plain = {
        "id": "grt_1",
        "licensor": "Ada",
        "actions": (Use.TRAIN, Use.SELL_ADAPTER),
        "starts": DAYS[0],
        "ends": DAYS[8],
        "recorded_at": DAYS[2],
        "matched": True,
    }
    return Grant(**(plain | change))


def opt_out(observed_at, status=ClaimStatus.PARSED):
    return Claim(
        ClaimSource.EMBEDDED_XMP,
        ClaimKind.OPT_OUT,
        "x",
        "DMI-PROHIBITED",
        status,
        "test/1",
        observed_at=observed_at,
    )


@pytest.fixture
def judged(catalogue):
    def judge(*claims, grants=None, at=AT, **more):
        held = (contract(),) if grants is None else grants
        return conclude(claims, catalogue, grants=held, at=at, **more)

    return judge


def test_it_opens_only_the_uses_it_names(judged):
    said = judged()
    assert said.verdicts[Use.TRAIN] is Verdict.DUTIES
    assert said.verdicts[Use.SELL_ADAPTER] is Verdict.DUTIES
    for use in (Use.SHARE_ADAPTER, Use.PUBLISH_OUTPUTS, Use.SELL_OUTPUTS):
        assert said.verdicts[use] is Verdict.DENY
    assert judged(grants=()).verdicts[Use.TRAIN] is Verdict.DENY


@pytest.mark.parametrize(
    ("change", "at"),
    [({}, "2025-12-31"), ({}, DAYS[8]), ({"starts": DAYS[6]}, AT), ({"ends": AT}, AT)],
)
def test_outside_its_term_it_opens_nothing(judged, change, at):
    assert judged(grants=(contract(**change),), at=at).verdicts[Use.TRAIN] is Verdict.DENY


def test_the_answer_knows_when_time_will_change_it(judged):
    assert judged().until == DAYS[8]
    assert judged(grants=(contract(starts=DAYS[6]),)).until == DAYS[6]
    assert judged(grants=(contract(ends=None),)).until is None
    assert next_change([contract(), contract(ends=DAYS[7])], AT) == DAYS[7]


@pytest.mark.parametrize("status", ClaimStatus)
def test_a_reservation_is_answered_by_a_later_contract_only(judged, status):
    before, after = opt_out(DAYS[1], status), opt_out(DAYS[3], status)
    answered = judged(before)
    assert (answered.verdicts[Use.TRAIN], answered.opt_out) == (Verdict.DUTIES, False)
    assert "answered by grt_1" in answered.findings[0].clause
    for claims in ([after], [before, after], [opt_out("")]):
        assert not judged(*claims).verdicts[Use.TRAIN].passes


@pytest.mark.parametrize("change", [{"matched": False}, {"actions": (Use.SHARE_ADAPTER,)}])
def test_a_stranger_or_another_use_answers_no_reservation(judged, change):
    said = judged(opt_out(DAYS[1]), grants=(contract(**change),))
    assert said.opt_out
    assert said.verdicts[Use.TRAIN] is Verdict.DENY


def test_a_stranger_asks_a_person(judged):
    said = judged(grants=(contract(matched=False),))
    assert said.verdicts[Use.TRAIN] is Verdict.REVIEW
    assert "authority" in said.held[0].clause


def test_a_wider_licence_is_not_narrowed_by_a_contract(judged, catalogue):
    free = license_claim("CC0", ClaimSource.PERSON, catalogue.aliases)
    assert judged(free).verdicts[Use.TRAIN] is Verdict.ALLOW


def test_a_copy_under_another_licence_makes_it_a_question(judged, catalogue):
    mine = license_claim("CC-BY-NC-4.0", ClaimSource.PERSON, catalogue.aliases)
    other = license_claim("CC-BY-NC-ND-4.0", ClaimSource.PERSON, catalogue.aliases)
    assert judged(mine).verdicts[Use.TRAIN] is Verdict.DUTIES
    assert judged(mine, copies=[[mine]]).verdicts[Use.TRAIN] is Verdict.DUTIES
    assert judged(mine, copies=[[other]]).verdicts[Use.TRAIN] is Verdict.REVIEW


def test_a_moment_must_be_named(catalogue):
    with pytest.raises(ValueError, match="moment"):
        conclude([], catalogue, grants=[contract()])


terms = st.builds(
    contract,
    id=st.sampled_from(["grt_1", "grt_2"]),
    actions=st.sets(st.sampled_from(Use), min_size=1).map(lambda uses: tuple(sorted(uses))),
    starts=st.sampled_from(DAYS),
    ends=st.one_of(st.none(), st.sampled_from(DAYS)),
    recorded_at=st.sampled_from(DAYS),
    matched=st.booleans(),
)


@given(st.lists(terms, max_size=3), terms)
def test_a_further_contract_never_closes_what_was_open(catalogue, grants, more):
    own = [license_claim("CC-BY-NC-4.0", ClaimSource.PERSON, catalogue.aliases)]
    before = conclude(own, catalogue, grants=grants, at=AT)
    after = conclude(own, catalogue, grants=[*grants, more], at=AT)
    for use in Use:
        assert after.verdicts[use].strictness <= before.verdicts[use].strictness
        if after.verdicts[use] is not before.verdicts[use]:
            assert more.holds(AT)
            assert {use, Use.TRAIN} & set(more.actions)


@given(st.lists(terms, max_size=4))
def test_what_is_stored_is_read_back(grants):
    for held in hold(grants, contested=True):
        assert Held.from_json(held.as_json()) == held
        assert held.effect is not Verdict.ALLOW


def test_of_several_the_widest_counts():
    one, two = hold([contract(matched=False), contract(id="grt_2")], contested=False)
    assert best([one, two], Use.TRAIN) == two
    assert best([one, two], Use.SELL_OUTPUTS) is None
