"""Does a person's word count like any other claim, can a slip be taken back, a side be taken?"""

import pytest

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.flow import pipeline
from picdeed.registry import claims as claim_rows
from picdeed.registry import pictures
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use

EVE = pipeline.Saying(by="Eve", because="seen on the print")


@pytest.fixture
def picture(filled):
    with filled.read() as session:
        return pictures.all_ids(session)[0]


def say(registry, target, kind, text, saying=EVE, **more):
    return pipeline.claim(registry, pipeline.rules(), target, {kind: text}, saying, **more)


def verdict(registry, picture, use=Use.TRAIN):
    return pipeline.explain(registry, picture, use)


def test_a_stricter_word_binds_and_can_be_taken_back(filled, picture):
    assert verdict(filled, picture).verdict == "ALLOW"
    done = say(filled, picture, ClaimKind.LICENSE, "CC BY-NC 4.0")
    denied = verdict(filled, picture)
    assert (denied.verdict, denied.license) == ("DENY", "CC-BY-NC-4.0 AND CC0-1.0")
    back = pipeline.claim(filled, pipeline.rules(), picture, {}, EVE, corrects=done.claims[0][:12])
    assert back.taken_back == done.claims
    assert verdict(filled, picture).verdict == "ALLOW"
    known = {one.id: one.taken_back for one in verdict(filled, picture).claims}
    assert known[done.claims[0]] == "seen on the print"  # it stays on record
    with pytest.raises(UsageError, match="taken back"):
        say(filled, picture, ClaimKind.LICENSE, "CC BY-NC 4.0")


def test_the_same_said_twice_is_one_claim(filled, picture):
    assert say(filled, picture, ClaimKind.HOLDER, "Ada").claims
    assert say(filled, picture, ClaimKind.HOLDER, "Ada").claims == ()


def test_a_dataset_means_its_present_pictures(filled, picture):
    pipeline.remove(filled, "drawings", [picture])
    done = say(filled, "drawings", ClaimKind.AUTHOR, "Ada")
    with filled.read() as session:
        assert done.pictures == len(pictures.all_ids(session)) - 1
        said = [row.raw for row in claim_rows.of(session, picture)]
    assert "Ada" not in said


def test_what_a_file_says_is_never_corrected(filled, picture):
    with filled.read() as session:
        own = next(c for c in claim_rows.of(session, picture) if c.source != "person")
    with pytest.raises(UsageError, match="only a person's claim"):
        pipeline.claim(filled, pipeline.rules(), picture, {}, EVE, corrects=own.id)
    with pytest.raises(UnknownSubject):
        pipeline.claim(filled, pipeline.rules(), picture, {}, EVE, corrects="f" * 64)
    with pytest.raises(UsageError, match="reason"):
        pipeline.claim(filled, pipeline.rules(), picture, {}, pipeline.Saying(), corrects=own.id)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ClaimKind.LICENSE, "CC BY"),
        (ClaimKind.LICENSE, "MIT AND"),
        (ClaimKind.LICENSE, "x" * 1_000_000),
        (ClaimKind.CAPTION_LICENSE, "mine"),
        (ClaimKind.MODEL_RELEASE, "sure"),
        (ClaimKind.PERSONS, "two"),
        (ClaimKind.WAIVER, "soon"),
        (ClaimKind.AUTHOR, "  "),
    ],
)
def test_words_that_cannot_be_are_refused_and_nothing_is_recorded(filled, picture, kind, text):
    with filled.read() as session:
        before = len(claim_rows.of(session, picture))
    with pytest.raises(UsageError):
        say(filled, picture, kind, text)
    with filled.read() as session:
        assert len(claim_rows.of(session, picture)) == before


def test_an_election_takes_one_side_and_the_next_one_replaces_it(filled, picture):
    say(filled, picture, ClaimKind.LICENSE, "MIT OR CC-BY-NC-4.0")
    assert verdict(filled, picture).verdict == "REVIEW"
    rules = pipeline.rules()
    pipeline.elect(filled, rules, picture, "Expat", EVE)  # an exact alias of MIT
    assert verdict(filled, picture).license == "CC0-1.0 AND MIT"
    other = pipeline.elect(filled, rules, picture, "CC-BY-NC-4.0", EVE)
    assert len(other.taken_back) == 1
    assert verdict(filled, picture).verdict == "DENY"


@pytest.mark.parametrize("side", ["GPL-3.0-only", "CC0-1.0", "whatever", ""])
def test_a_side_that_nobody_offers_is_refused(filled, picture, side):
    say(filled, picture, ClaimKind.LICENSE, "MIT OR CC-BY-NC-4.0")
    with pytest.raises(UsageError, match="elected"):
        pipeline.elect(filled, pipeline.rules(), picture, side, EVE)


def test_an_identifiable_person_needs_a_release_to_be_sold(filled, picture):
    say(filled, picture, ClaimKind.PERSONS, "identifiable")
    assert verdict(filled, picture, Use.SELL_OUTPUTS).verdict == "DENY"
    assert verdict(filled, picture, Use.TRAIN).verdict == "ALLOW"
    say(filled, picture, ClaimKind.MODEL_RELEASE, "unlimited")
    assert verdict(filled, picture, Use.SELL_OUTPUTS).verdict == "ALLOW"


def test_a_caption_binds_too(filled, picture):
    say(filled, picture, ClaimKind.CAPTION_LICENSE, "CC-BY-NC-4.0")
    assert verdict(filled, picture).verdict == "DENY"


def test_an_opt_out_that_a_holder_wrote_in_a_letter(filled, picture):
    say(filled, picture, ClaimKind.OPT_OUT, "letter of 3 May")
    found = verdict(filled, picture)
    assert (found.verdict, found.rule) == ("DENY", "R1")


def test_a_removed_picture_stays_out_until_it_is_put_back(filled, picture):
    before = pipeline.freeze(filled, "drawings").members
    pipeline.remove(filled, "drawings", [picture[:14]])
    assert pipeline.freeze(filled, "drawings").members == before - 1
    assert pipeline.remove(filled, "drawings", [picture]).changed == ()
    pipeline.remove(filled, "drawings", [picture], undo=True)
    assert pipeline.freeze(filled, "drawings").members == before
    with pytest.raises(UnknownSubject):
        pipeline.remove(filled, "drawings", ["img_" + "0" * 64])
    with pytest.raises(UnknownSubject):
        pipeline.remove(filled, "elsewhere", [picture])
