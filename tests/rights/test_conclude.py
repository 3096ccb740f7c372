"""Do R5 to R11 hold: elections, stale sources, captions, generated pictures, identifiable people?"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    Release,
    license_claim,
)
from picdeed.rights.conclude import conclude
from picdeed.rights.decide import Question, judge_pictures
from picdeed.rights.expression import NOASSERTION, elect
from picdeed.rights.verdict import Use, Verdict

AT = "2026-06-01T00:00:00.000000Z"


def said(kind, parsed, source=ClaimSource.PERSON, at="2026-05-15T00:00:00.000000Z"):
    return Claim(source, kind, parsed, parsed, ClaimStatus.PARSED, "test/1", observed_at=at)


@pytest.fixture
def says(catalogue):
    return lambda text: license_claim(text, ClaimSource.PERSON, catalogue.aliases)


@pytest.fixture
def verdict(catalogue, says):
    """Under CC0 and these claims: the verdict on a use."""

    def judge(*claims, use=Use.TRAIN, expression="CC0", **more):
        found = conclude([says(expression), *claims], catalogue, **({"at": AT} | more))
        return found.verdicts[use]

    return judge


# --- R7: elections -----------------------------------------------------------------------------


def test_an_elected_side_stands_for_the_or(catalogue, says):
    offered = [says("MIT OR CC-BY-NC-4.0")]
    assert conclude(offered, catalogue).verdicts[Use.TRAIN] is Verdict.REVIEW
    taken = conclude([*offered, said(ClaimKind.ELECTION, "MIT")], catalogue)
    assert (taken.license, taken.verdicts[Use.TRAIN]) == ("MIT", Verdict.DUTIES)
    worse = conclude([*offered, said(ClaimKind.ELECTION, "CC-BY-NC-4.0")], catalogue)
    assert worse.verdicts[Use.TRAIN] is Verdict.DENY


def test_two_elected_sides_are_none(catalogue, says):
    both = [said(ClaimKind.ELECTION, side) for side in ("MIT", "CC-BY-NC-4.0")]
    found = conclude([says("MIT OR CC-BY-NC-4.0"), *both], catalogue)
    assert (found.rule, found.verdicts[Use.TRAIN]) == ("R7", Verdict.REVIEW)


def test_an_election_for_one_picture_holds_for_its_copies(catalogue, says):
    own = [says("MIT OR CC-BY-NC-4.0"), said(ClaimKind.ELECTION, "MIT")]
    assert conclude(own, catalogue, copies=[[says("MIT OR CC-BY-NC-4.0")]]).license == "MIT"


@pytest.mark.parametrize(
    ("expression", "side", "left"),
    [
        ("MIT OR Zlib", "MIT", "MIT"),
        ("(MIT OR Zlib) AND CC0-1.0", "Zlib", "CC0-1.0 AND Zlib"),
        ("CC0-1.0 OR (MIT AND Zlib)", "MIT AND Zlib", "MIT AND Zlib"),
        ("MIT OR Zlib", "CC0-1.0", "MIT OR Zlib"),
        ("MIT AND Zlib", "MIT", "MIT AND Zlib"),
        (NOASSERTION, "MIT", NOASSERTION),
    ],
)
def test_elect(expression, side, left):
    assert elect(expression, {side}) == left


# --- R9: what a source answered grows stale ----------------------------------------------------


def checked(at):
    return said(ClaimKind.CHECKED, "nothing reserved", ClaimSource.HTTP, at)


def test_an_answer_is_believed_for_thirty_days(catalogue, says):
    found = conclude([says("CC0"), checked("2026-05-15T00:00:00.000000Z")], catalogue, at=AT)
    assert found.verdicts[Use.TRAIN] is Verdict.ALLOW
    assert found.until == "2026-06-14T00:00:00.000000Z"
    assert found.checked


def test_then_it_denies_until_it_is_asked_again_or_waived(catalogue, says, verdict):
    stale = checked("2026-04-01T00:00:00.000000Z")
    assert verdict(stale) is Verdict.DENY
    assert verdict(stale, checked("2026-05-31T00:00:00.000000Z")) is Verdict.ALLOW
    assert verdict(stale, said(ClaimKind.WAIVER, "2026-07-01")) is Verdict.ALLOW
    assert verdict(stale, said(ClaimKind.WAIVER, "2026-05-01")) is Verdict.DENY
    assert conclude([says("CC0"), stale], catalogue, at=AT).rule == "R9"


def test_a_site_that_failed_asks_a_person_until_it_answers(verdict):
    def asked(day, status=ClaimStatus.PARSED, what="robots.txt", host="a.org"):
        raw = f'{{"at":"","url":"https://{host}/robots.txt"}}'
        at = f"2026-05-{day}T00:00:00.000000Z"
        kind = ClaimKind.CHECKED
        return Claim(ClaimSource.SITE_FILE, kind, raw, what, status, "t", observed_at=at)

    failed = asked(20, ClaimStatus.UNREADABLE)
    assert verdict(failed) is Verdict.REVIEW
    assert verdict(failed, asked(10)) is Verdict.REVIEW
    assert verdict(failed, asked(25)) is Verdict.ALLOW
    assert verdict(failed, asked(25, host="b.org")) is Verdict.REVIEW
    assert verdict(failed, asked(25, what="picture")) is Verdict.REVIEW


def test_each_thing_that_was_asked_grows_stale_by_itself(catalogue, says):
    old = said(ClaimKind.CHECKED, "picture", ClaimSource.HTTP, "2026-04-01T00:00:00.000000Z")
    new = said(ClaimKind.CHECKED, "robots.txt", ClaimSource.HTTP, "2026-05-31T00:00:00.000000Z")
    assert conclude([says("CC0"), old, new], catalogue, at=AT).verdicts[Use.TRAIN] is Verdict.DENY


def test_a_source_that_nobody_asked_matters_where_the_profile_says(catalogue, says):
    found = conclude([says("CC0"), said(ClaimKind.SOURCE_URL, "https://x.org/a")], catalogue)
    assert found.verdicts[Use.TRAIN] is Verdict.ALLOW
    assert [finding.rule for finding in found.findings] == ["not-checked"]
    strict = replace(
        catalogue,
        profiles={"p": replace(catalogue.profile("conservative"), not_checked=Verdict.REVIEW)},
    )
    question = Question((Use.TRAIN,), "p")
    assert judge_pictures(found.group(), question, strict) is Verdict.REVIEW


def test_a_profile_may_ask_a_person_where_a_checked_picture_has_no_licence(catalogue):
    found = conclude([checked("2026-05-15T00:00:00.000000Z")], catalogue, at=AT)
    assert found.verdicts[Use.TRAIN] is Verdict.DENY
    lenient = replace(
        catalogue,
        profiles={"p": replace(catalogue.profile("conservative"), no_license=Verdict.REVIEW)},
    )
    asked = lambda use: judge_pictures(found.group(), Question((use,), "p"), lenient)  # noqa: E731
    assert asked(Use.TRAIN) is Verdict.REVIEW
    assert asked(Use.SHARE_ADAPTER) is Verdict.DENY
    unasked = conclude([], catalogue)
    assert judge_pictures(unasked.group(), Question((Use.TRAIN,), "p"), lenient) is Verdict.DENY


def test_a_moment_must_be_named_where_it_matters(catalogue):
    with pytest.raises(ValueError, match="moment"):
        conclude([checked(AT)], catalogue)


# --- R11 and what else binds -------------------------------------------------------------------

SHOWN = said(ClaimKind.PERSONS, "identifiable")


def release(word, source=ClaimSource.PERSON, kind=ClaimKind.MODEL_RELEASE):
    return said(kind, word, source)


@pytest.mark.parametrize(
    ("claims", "sells"),
    [
        ([SHOWN], "DENY"),
        ([SHOWN, release("none")], "DENY"),
        ([SHOWN, release("limited")], "REVIEW"),
        ([SHOWN, release("not-applicable")], "REVIEW"),
        ([SHOWN, release("unlimited")], "ALLOW"),
        ([release("limited")], "REVIEW"),
        ([release("none")], "REVIEW"),
        ([release("not-applicable")], "ALLOW"),
        ([said(ClaimKind.PERSONS, "none")], "ALLOW"),
        ([SHOWN, release("unlimited", ClaimSource.EMBEDDED_XMP)], "ALLOW"),
        # A paper on record says more than a label in the file, and of two the narrower one.
        ([SHOWN, release("none", ClaimSource.EMBEDDED_XMP), release("unlimited")], "ALLOW"),
        ([SHOWN, release("unlimited", ClaimSource.EMBEDDED_XMP), release("limited")], "REVIEW"),
        ([SHOWN, release("unlimited"), release("limited")], "REVIEW"),
        ([SHOWN, release("surely")], "REVIEW"),
        ([release("none", kind=ClaimKind.PROPERTY_RELEASE)], "REVIEW"),
        ([release("unlimited", kind=ClaimKind.PROPERTY_RELEASE)], "ALLOW"),
    ],
)
def test_people_and_property(verdict, claims, sells):
    assert verdict(*claims, use=Use.SELL_OUTPUTS) == sells
    assert verdict(*claims, use=Use.TRAIN) is Verdict.ALLOW


@given(st.permutations([SHOWN, release(Release.LIMITED), release(Release.UNLIMITED)]))
def test_the_order_of_papers_does_not_matter(catalogue, claims):
    assert conclude(claims, catalogue) == conclude(claims[::-1], catalogue)


def test_a_generated_picture_asks_a_person(verdict):
    assert verdict(said(ClaimKind.SYNTHETIC, "trainedAlgorithmicMedia")) is Verdict.REVIEW


def test_a_named_licensor_beside_an_open_licence_asks_a_person(verdict):
    assert verdict(said(ClaimKind.LICENSOR, "Big Agency")) is Verdict.REVIEW


def test_a_captions_licence_binds_and_opens_nothing(catalogue, verdict):
    assert verdict(said(ClaimKind.CAPTION_LICENSE, "CC-BY-NC-4.0")) is Verdict.DENY
    alone = conclude([said(ClaimKind.CAPTION_LICENSE, "CC0-1.0")], catalogue)
    assert (alone.license, alone.verdicts[Use.TRAIN]) == (NOASSERTION, Verdict.DENY)


def test_what_only_describes_moves_nothing(catalogue, says):
    plain = conclude([says("CC0")], catalogue)
    for kind in (ClaimKind.TITLE, ClaimKind.AUTHOR, ClaimKind.OPT_IN, ClaimKind.NO_INFERENCE):
        assert conclude([says("CC0"), said(kind, "x")], catalogue) == plain
