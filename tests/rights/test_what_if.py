"""Is every way that is told really a way, and is the smallest drop among them?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, license_claim
from picdeed.rights.conclude import conclude
from picdeed.rights.decide import Question, decide
from picdeed.rights.verdict import Use, Verdict
from picdeed.rights.what_if import Means, ways

AT = "2026-06-01T00:00:00.000000Z"
KNOWN = [
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "MIT OR CC-BY-NC-4.0",
    "CC0-1.0 OR CC-BY-SA-4.0", "Zlib", "GPL-3.0-only",
]  # fmt: skip


@pytest.fixture
def told(catalogue):
    """The ways for pictures under these licences: {licence: number} plus further claims."""

    def tell(pictures, use, *claims, base="sprig", **how):
        groups = []
        for text, size in pictures.items():
            own = [license_claim(text, ClaimSource.PERSON, catalogue.aliases), *claims]
            groups.append(conclude(own, catalogue, at=AT).group(size))
        question = Question((use,), **how)
        return ways(groups, catalogue.base(base), question, catalogue)

    return tell


def means(found):
    return {step.means for way in found for step in way.steps}


def test_what_passes_needs_nothing(told):
    assert told({"CC0-1.0": 3}, Use.SELL_ADAPTER) == ()


def test_dropping_or_a_contract(told):
    found = told({"CC0-1.0": 3, "CC-BY-NC-4.0": 2}, Use.SELL_ADAPTER)
    assert means(found) == {Means.DROP, Means.GRANT}
    assert {step.pictures for way in found for step in way.steps} == {2}
    assert all(way.verdict.passes for way in found)


def test_an_election_is_cheaper_than_a_contract(told):
    found = told({"MIT OR CC-BY-NC-4.0": 4}, Use.SELL_ADAPTER)
    (way,) = [way for way in found if Means.DROP not in {s.means for s in way.steps}]
    assert [(step.means, step.subject, step.pictures) for step in way.steps] == [
        (Means.ELECT, "MIT", 4)
    ]


def test_a_release_and_a_new_check(told):
    shown = Claim(
        ClaimSource.PERSON,
        ClaimKind.PERSONS,
        "identifiable",
        "identifiable",
        ClaimStatus.PARSED,
        "t",
    )
    assert Means.RELEASE in means(told({"CC0-1.0": 1}, Use.SELL_OUTPUTS, shown))
    stale = Claim(
        ClaimSource.HTTP, ClaimKind.CHECKED, "x", "x", ClaimStatus.PARSED, "t",
        observed_at="2026-01-01T00:00:00.000000Z",
    )  # fmt: skip
    assert Means.CHECK in means(told({"CC0-1.0": 1}, Use.TRAIN, stale))


def test_a_base_in_the_way_names_others(told):
    found = told({"CC0-1.0": 1}, Use.SELL_ADAPTER, base="nobody-described-it")
    assert "sprig" in {step.subject for way in found for step in way.steps}
    assert Means.DROP not in means(found)


def test_revoked_pictures_can_only_be_dropped(catalogue):
    free = conclude([license_claim("CC0", ClaimSource.PERSON, catalogue.aliases)], catalogue)
    groups = [free.group(2), free.group(1, revoked=True)]
    found = ways(groups, catalogue.base("sprig"), Question((Use.TRAIN,)), catalogue)
    assert means(found) == {Means.DROP}


@given(
    st.lists(st.tuples(st.sampled_from(KNOWN), st.integers(1, 3)), min_size=1, max_size=4),
    st.sampled_from(Use),
    st.booleans(),
)
def test_every_way_was_tried(catalogue, pictures, use, commercial):
    groups = [
        conclude([license_claim(text, ClaimSource.PERSON, catalogue.aliases)], catalogue).group(n)
        for text, n in pictures
    ]
    base = catalogue.base("sprig")
    question = Question((use,), commercial=commercial)
    found = ways(groups, base, question, catalogue)
    asked = Question(tuple(dict.fromkeys((Use.TRAIN, use))), commercial=commercial)
    now = decide(groups, base, asked, catalogue)
    assert bool(found) <= (not now.verdict.passes)
    for way in found:
        assert way.verdict in (Verdict.ALLOW, Verdict.DUTIES)
        dropped = sum(s.pictures for s in way.steps if s.means is Means.DROP)
        if dropped:
            assert dropped == sum(groups[place].size for place in now.drop)
