"""Does the one decision fail closed, whatever is claimed, in whatever order?"""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from picdeed.core.errors import UsageError
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    Statement,
    license_claim,
)
from picdeed.rights.conclude import conclude as conclude_at
from picdeed.rights.conflicts import licenses_claimed
from picdeed.rights.decide import Conclusion, Group, Question, decide, group_pictures
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.verdict import Subject, Use, Verdict, meet

LICENSES = [
    "CC0-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "MIT",
    "OFL-1.1",
    "Zlib",
    "CC0-1.0 OR CC-BY-SA-4.0",
    "Apache-2.0 AND MIT",
    "Apache-2.0 OR MIT",
]


def opt_out(status=ClaimStatus.PARSED):
    return Claim(
        ClaimSource.EMBEDDED_XMP, ClaimKind.OPT_OUT, "x", "DMI-PROHIBITED", status, "test/1"
    )


@st.composite
def claims(draw, kinds=tuple(ClaimKind)):
    kind = draw(st.sampled_from(kinds))
    status = draw(st.sampled_from(ClaimStatus))
    source = draw(st.sampled_from(ClaimSource))
    parsed = "anything"
    if kind is ClaimKind.LICENSE:
        parsed = draw(st.sampled_from(LICENSES))
    elif kind is ClaimKind.RIGHTS_STATEMENT:
        parsed = draw(st.sampled_from([None, "x", *(word.value for word in Statement)]))
    raw = parsed or "raw"
    return Claim(
        source, kind, raw, parsed if status is ClaimStatus.PARSED else None, status, "test/1"
    )


AT = "2026-06-01T00:00:00.000000Z"
# What a person or a source does, not what somebody says about the picture: these may open a use.
ACTS = {
    ClaimKind.ELECTION,
    ClaimKind.CHECKED,
    ClaimKind.WAIVER,
    ClaimKind.MODEL_RELEASE,
    ClaimKind.PROPERTY_RELEASE,
}


def conclude(known, catalogue, **more):
    return conclude_at(known, catalogue, **({"at": AT} | more))


def asked(catalogue, pictures, uses, *, base=None, revoked=(), **how):
    """The decision about pictures given by their claims, with the ids that it would drop."""
    grouped = groups_for(catalogue, pictures, revoked)
    groups = list(grouped)
    question = Question(tuple(uses), **how)
    said = decide(groups, base or catalogue.base("sprig"), question, catalogue)
    drop = tuple(sorted(name for place in said.drop for name in grouped[groups[place]]))
    return replace(said, drop=drop)


def looser(now: Conclusion, before: Conclusion) -> list[Use]:
    return [u for u in Use if now.verdicts[u].strictness < before.verdicts[u].strictness]


@pytest.fixture
def says(catalogue):
    def claim(text, source=ClaimSource.PERSON):
        return license_claim(text, source, catalogue.aliases)

    return claim


# --- one picture -------------------------------------------------------------------------------


@given(st.lists(claims(), max_size=5), claims())
def test_no_further_claim_ever_loosens_a_verdict(catalogue, known, new):
    # the first licence claim of all is what opens the door; nothing after it opens it wider
    assume(new.kind not in ACTS)
    assume(licenses_claimed(known) or not licenses_claimed([new]))
    assert not looser(conclude([*known, new], catalogue), conclude(known, catalogue))


@given(st.lists(claims(), max_size=4), st.lists(st.lists(claims(), max_size=3), max_size=3))
def test_no_copy_ever_loosens_a_verdict(catalogue, own, copies):
    assert not looser(conclude(own, catalogue, copies=copies), conclude(own, catalogue))


@given(st.lists(claims(), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(catalogue, known, random):
    shuffled = list(known)
    random.shuffle(shuffled)
    assert conclude(shuffled, catalogue) == conclude(known, catalogue)
    assert conclude([*known, *known], catalogue) == conclude(known, catalogue)


@given(st.lists(claims(), max_size=5))
def test_the_verdict_is_the_meet_of_its_reasons_and_unknown_never_allows(catalogue, known):
    said = conclude(known, catalogue)
    for use in Use:
        spoken = [r.effect for r in said.reasons if r.use in (use, Use.TRAIN)]
        assert said.verdicts[use].strictness <= meet(*spoken).strictness
    assert said.verdicts[Use.TRAIN] is meet(*(r.effect for r in said.reasons if r.use is Use.TRAIN))
    unread = NOASSERTION in licenses_claimed(known)
    if not licenses_claimed(known) or unread or said.opt_out:
        assert set(said.verdicts.values()) == {Verdict.DENY}
    strange = [c for c in known if c.kind is ClaimKind.OPT_OUT and c.status != "parsed"]
    if strange:
        assert not any(verdict.passes for verdict in said.verdicts.values())


def test_no_claim_is_r0(catalogue):
    said = conclude([], catalogue)
    assert (said.license, said.rule, said.conflict, said.opt_out) == (
        NOASSERTION,
        "R0",
        False,
        False,
    )
    assert set(said.verdicts.values()) == {Verdict.DENY}


def test_an_opt_in_is_no_licence(catalogue):
    hint = Claim(
        ClaimSource.EMBEDDED_XMP, ClaimKind.OPT_IN, "x", "DMI-ALLOWED", ClaimStatus.PARSED, "t/1"
    )
    assert conclude([hint], catalogue).verdicts[Use.TRAIN] is Verdict.DENY


def test_one_claim_is_declared(says, catalogue):
    said = conclude([says("CC0")], catalogue)
    assert (said.license, said.rule, said.conflict) == ("CC0-1.0", "declared", False)
    assert set(said.verdicts.values()) == {Verdict.ALLOW}
    assert said.findings == ()


def test_two_claims_are_anded_and_called_a_conflict(says, catalogue):
    said = conclude([says("CC0"), says("CC BY 4.0")], catalogue)
    assert (said.license, said.rule, said.conflict) == ("CC-BY-4.0 AND CC0-1.0", "R2", True)
    assert said.verdicts[Use.TRAIN] is Verdict.DUTIES


def test_an_opt_out_beats_the_best_licence_for_every_use(says, catalogue):
    said = conclude([says("CC0"), opt_out()], catalogue)
    assert (said.license, said.rule, said.opt_out) == ("CC0-1.0", "R1", True)
    assert set(said.verdicts.values()) == {Verdict.DENY}
    unread = conclude([says("CC0"), opt_out(ClaimStatus.UNREADABLE)], catalogue)
    assert (unread.rule, unread.opt_out) == ("R1", False)
    assert set(unread.verdicts.values()) == {Verdict.REVIEW}


@pytest.mark.parametrize(
    ("texts", "rule"),
    [(["cc"], "R0"), (["Zlib"], "R7"), (["MIT OR CC0"], "R7"), (["CC-BY-3.0", "CC-BY-4.0"], "R3")],
)
def test_the_rule_that_mattered_is_named(says, catalogue, texts, rule):
    assert conclude([says(text) for text in texts], catalogue).rule == rule


# --- its copies --------------------------------------------------------------------------------


def test_r10_the_strictest_copy_binds_all(says, catalogue):
    free, strict = [says("CC0")], [says("CC-BY-NC-4.0")]
    for own, other in ((free, strict), (strict, free)):
        said = conclude(own, catalogue, copies=[other])
        assert (said.license, said.rule) == ("CC-BY-NC-4.0 AND CC0-1.0", "R10")
        assert said.verdicts[Use.TRAIN] is Verdict.DENY


def test_a_copy_without_a_claim_binds_nobody_and_gains_nothing(says, catalogue):
    assert conclude([says("CC0")], catalogue, copies=[[]]).verdicts[Use.TRAIN] is Verdict.ALLOW
    bare = conclude([], catalogue, copies=[[says("CC0")]])
    assert (bare.license, bare.verdicts[Use.TRAIN]) == (NOASSERTION, Verdict.DENY)


def test_an_opt_out_in_any_copy_binds_every_member(says, catalogue):
    assert conclude([says("CC0")], catalogue, copies=[[opt_out()]]).opt_out
    assert conclude([], catalogue).verdicts[Use.TRAIN] is Verdict.DENY


@given(st.lists(st.lists(claims(), max_size=3), max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_copies_does_not_matter(catalogue, members, random):
    shuffled = list(members)
    random.shuffle(shuffled)
    own = [license_claim("MIT", ClaimSource.PERSON, catalogue.aliases)]
    assert conclude(own, catalogue, copies=shuffled) == conclude(own, catalogue, copies=members)


# --- many pictures and a base ------------------------------------------------------------------


def groups_for(catalogue, pictures, revoked=()):
    said = {name: conclude(known, catalogue) for name, known in pictures.items()}
    return group_pictures(said, revoked)


@given(
    st.lists(st.lists(claims(), min_size=1, max_size=3), min_size=1, max_size=5),
    st.sets(st.sampled_from(Use), min_size=1),
    st.booleans(),
)
def test_a_decision_is_the_meet_and_its_drop_is_smallest(catalogue, known, uses, commercial):
    pictures = {f"img_{i}": claims_ for i, claims_ in enumerate(known)}
    base = catalogue.base("sprig")

    def verdict(names):
        chosen = {name: pictures[name] for name in names}
        return asked(catalogue, chosen, sorted(uses), base=base, commercial=commercial)

    whole = verdict(pictures)
    assert whole.verdict is meet(*(reason.effect for reason in whole.reasons))
    if commercial:
        alone = [conclude(c, catalogue).verdicts[use] for c in pictures.values() for use in uses]
        assert whole.verdict.strictness >= meet(*alone).strictness
    sizes = [
        len(gone)
        for n in range(len(pictures))
        for gone in combinations(sorted(pictures), n)
        if verdict(set(pictures) - set(gone)).verdict.passes
    ]
    if whole.drop_reason == "nothing-left":
        assert sizes == []
        assert whole.drop == ()
    else:
        assert len(whole.drop) == min(sizes)
        assert verdict(set(pictures) - set(whole.drop)).verdict.passes


def test_findings_reach_the_decision(says, catalogue):
    """A group is more than its licence: CC0 beside "all rights reserved" is REVIEW."""
    reserved = Claim(
        ClaimSource.EMBEDDED_EXIF,
        ClaimKind.RIGHTS_STATEMENT,
        "All rights reserved",
        Statement.ALL_RIGHTS_RESERVED,
        ClaimStatus.PARSED,
        "test/1",
    )
    pictures = {"img_a": [says("CC0"), reserved], "img_b": [says("CC0")]}
    assert len(groups_for(catalogue, pictures)) == 2
    said = asked(catalogue, pictures, [Use.SELL_OUTPUTS])
    assert (said.verdict, said.drop) == (Verdict.REVIEW, ("img_a",))


def test_revoked_pictures_are_denied_and_dropped(says, catalogue):
    pictures = {"img_a": [says("CC0")], "img_b": [says("CC0")]}
    said = asked(catalogue, pictures, [Use.TRAIN], revoked={"img_b"})
    assert (said.verdict, said.drop, said.drop_reason) == (Verdict.DENY, ("img_b",), None)
    assert said.reasons[0].rule == "revoked"


@pytest.mark.parametrize("names", [(), ("img_a", "img_b")])
def test_nobody_left_is_denied_as_empty(says, catalogue, names):
    said = asked(catalogue, {name: [says("CC0")] for name in names}, [Use.TRAIN], revoked=names)
    assert (said.verdict, said.drop, said.drop_reason) == (Verdict.DENY, (), "nothing-left")
    assert "empty" in {reason.rule for reason in said.reasons}


def test_a_base_that_permits_nothing_is_the_reason(says, catalogue):
    unknown = catalogue.base("unheard-of")
    said = asked(catalogue, {"img_a": [says("CC0")]}, [Use.TRAIN], base=unknown)
    assert (said.verdict, said.drop, said.drop_reason) == (Verdict.DENY, (), "base")
    assert said.reasons[0].subject is Subject.BASE


def test_opt_out_flag_alone_is_enough(catalogue):
    group = Group("CC0-1.0", opt_out=True, size=2)
    said = decide([group], catalogue.base("sprig"), Question(tuple(Use)), catalogue)
    assert said.verdict is Verdict.DENY
    assert (said.reasons[0].rule, said.reasons[0].pictures) == ("R1", 2)


def test_counts_and_duties_are_united_over_groups(says, catalogue):
    pictures = {
        "img_a": [says("CC-BY-4.0")],
        "img_b": [says("CC-BY-4.0"), says("MIT")],
        "img_c": [says("CC0")],
    }
    uses = [Use.SHARE_ADAPTER, Use.SELL_ADAPTER]
    said = asked(catalogue, pictures, uses)
    assert said.verdict is Verdict.DUTIES
    counted = {(r.license, r.use): r.pictures for r in said.reasons if r.subject == "pictures"}
    assert counted["CC-BY-4.0", Use.SHARE_ADAPTER] == 2
    owed = {(duty.subject, duty.license, duty.kind): duty.pictures for duty in said.duties}
    assert owed == {
        (Subject.BASE, "Apache-2.0", "notice"): 0,
        (Subject.PICTURES, "CC-BY-4.0", "attribution"): 2,
        (Subject.PICTURES, "MIT", "notice"): 1,
    }


def test_two_share_alikes_drop_the_smaller_camp_once_a_file_lets_them_pass(says, catalogue):
    """The shipped rules ask a person about share-alike; a reviewed catalogue may say DUTIES."""
    licenses = dict(catalogue.licenses)
    for name in ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"):
        duties = {u: replace(r, effect=Verdict.DUTIES) for u, r in licenses[name].rules.items()}
        licenses[name] = replace(licenses[name], rules=duties)
    relaxed = replace(catalogue, licenses=licenses)
    pictures = {"a": "CC-BY-SA-4.0", "b": "CC-BY-SA-4.0", "c": "CC-BY-NC-SA-4.0", "d": "CC0"}
    claimed = {name: [says(text)] for name, text in pictures.items()}
    share = asked(relaxed, claimed, [Use.SHARE_ADAPTER])
    assert (share.verdict, share.drop) == (Verdict.DENY, ("c",))
    assert share.reasons[0].subject is Subject.COMBINATION
    train = asked(relaxed, claimed, [Use.TRAIN])
    assert (train.verdict, train.drop) == (Verdict.DUTIES, ())


def test_non_commercial_lifts_what_it_should_and_no_more(says, catalogue):
    claimed = {"a": [says("CC-BY-NC-4.0")]}
    for use, money, verdict in [
        (Use.TRAIN, True, Verdict.DENY),
        (Use.TRAIN, False, Verdict.DUTIES),
        (Use.SELL_ADAPTER, False, Verdict.DENY),
    ]:
        assert asked(catalogue, claimed, [use], commercial=money).verdict is verdict


def test_bad_requests_are_refused(catalogue):
    with pytest.raises(UsageError, match="No use"):
        decide([], catalogue.base("sprig"), Question(()), catalogue)
    with pytest.raises(UsageError, match="no profile"):
        decide([], catalogue.base("sprig"), Question((Use.TRAIN,), "generous"), catalogue)
