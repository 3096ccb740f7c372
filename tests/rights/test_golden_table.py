"""Does every licence and every base say what the decision table says? Golden rows, cell by cell.

A allow, D with duties, R review, X deny; nothing behind it: SETTLED, ~ CONTESTED, ? UNSTATED.
Columns are Use's order: train, share-adapter, sell-adapter, publish-outputs, sell-outputs.
A cell is what the licence's own line yields under `conservative`; what may not be trained on
binds the other uses as well, so the verdict of a picture can only be stricter than its cell.
"""

import itertools
from dataclasses import replace
from types import MappingProxyType

import pytest

from picdeed.rights.claims import ClaimSource, license_claim
from picdeed.rights.decide import Group, Question, conclude, decide
from picdeed.rights.judge import Reading, judge_expression, judge_terms
from picdeed.rights.verdict import Certainty, Subject, Use, Verdict, meet

COMMERCIAL = {
    "CC0-1.0":                                  "A   A   A   A   A",
    "Unlicense":                                "A   A   A   A   A",
    "CC-PDM-1.0":                               "D   D   D   A   A",
    "CC-PDDC":                                  "D   D   D   A   A",
    "CC-BY-1.0":                                "D   D~  D~  D~  D~",
    "CC-BY-2.0":                                "D   D~  D~  D~  D~",
    "CC-BY-2.5":                                "D   D~  D~  D~  D~",
    "CC-BY-3.0":                                "D   D~  D~  D~  D~",
    "CC-BY-4.0":                                "D   D~  D~  D~  D~",
    # The table says D D~ D~ D~ D~; nobody has read the text, so a person is asked.
    "LicenseRef-picdeed-OGA-BY-3.0":            "R?  R?  R?  R?  R?",
    "CC-BY-SA-1.0":                             "D   R~  R~  R~  R~",
    "CC-BY-SA-2.0":                             "D   R~  R~  R~  R~",
    "CC-BY-SA-2.5":                             "D   R~  R~  R~  R~",
    "CC-BY-SA-3.0":                             "D   R~  R~  R~  R~",
    "CC-BY-SA-4.0":                             "D   R~  R~  R~  R~",
    "CC-BY-NC-1.0":                             "X   X   X   X~  X~",
    "CC-BY-NC-2.0":                             "X   X   X   X~  X~",
    "CC-BY-NC-2.5":                             "X   X   X   X~  X~",
    "CC-BY-NC-3.0":                             "X   X   X   X~  X~",
    "CC-BY-NC-4.0":                             "X   X   X   X~  X~",
    "CC-BY-ND-1.0":                             "R~  X~  X~  R~  R~",
    "CC-BY-ND-2.0":                             "R~  X~  X~  R~  R~",
    "CC-BY-ND-2.5":                             "R~  X~  X~  R~  R~",
    "CC-BY-ND-3.0":                             "R~  X~  X~  R~  R~",
    "CC-BY-ND-4.0":                             "D~  X~  X~  R~  R~",
    "CC-BY-NC-SA-1.0":                          "X   X   X   X~  X~",
    "CC-BY-NC-SA-2.0":                          "X   X   X   X~  X~",
    "CC-BY-NC-SA-2.5":                          "X   X   X   X~  X~",
    "CC-BY-NC-SA-3.0":                          "X   X   X   X~  X~",
    "CC-BY-NC-SA-4.0":                          "X   X   X   X~  X~",
    "CC-BY-NC-ND-1.0":                          "X   X~  X   X~  X~",
    "CC-BY-NC-ND-2.0":                          "X   X~  X   X~  X~",
    "CC-BY-NC-ND-2.5":                          "X   X~  X   X~  X~",
    "CC-BY-NC-ND-3.0":                          "X   X~  X   X~  X~",
    "CC-BY-NC-ND-4.0":                          "X   X~  X   X~  X~",
    "MIT":                                      "D   D   D   A   A",
    "ISC":                                      "D   D   D   A   A",
    "BSD-2-Clause":                             "D   D   D   A   A",
    "BSD-3-Clause":                             "D   D   D   A   A",
    "Apache-2.0":                               "D   D   D   A   A",
    "GPL-2.0-only":                             "D   R~  R~  R~  R~",
    "GPL-2.0-or-later":                         "D   R~  R~  R~  R~",
    "GPL-3.0-only":                             "D   R~  R~  R~  R~",
    "GPL-3.0-or-later":                         "D   R~  R~  R~  R~",
    "OFL-1.1":                                  "D~  R~  R~  A   A",
    # The table says D for train; 2.4 gives no rights in the single pictures, so D would train on
    # pictures that nobody licensed.
    "ODbL-1.0":                                 "R   R~  R~  D~  D~",
    "CDLA-Permissive-2.0":                      "D   A   A   A   A",
    "LicenseRef-scancode-unsplash":             "R?  X?  X?  X?  X?",
    # The table says R for train; Pexels' help centre says that its terms forbid it.
    "LicenseRef-picdeed-pexels":                "X?  R?  R?  R?  R?",
    "LicenseRef-scancode-pixabay-content":      "R?  R?  R?  R?  R?",
    "LicenseRef-picdeed-getty-images-standard": "X?  X?  X?  X?  X?",
    "LicenseRef-picdeed-istock-standard":       "X?  X?  X?  X?  X?",
    "LicenseRef-picdeed-shutterstock-standard": "X?  X?  X?  X?  X?",
    "LicenseRef-picdeed-adobe-stock-standard":  "X?  X?  X?  X?  X?",
    "LicenseRef-picdeed-all-rights-reserved":   "X?  X?  X?  X?  X?",
}  # fmt: skip
NON_COMMERCIAL = COMMERCIAL | {
    "CC-BY-NC-1.0":    "D   D~  X   X~  X~",
    "CC-BY-NC-2.0":    "D   D~  X   X~  X~",
    "CC-BY-NC-2.5":    "D   D~  X   X~  X~",
    "CC-BY-NC-3.0":    "D   D~  X   X~  X~",
    "CC-BY-NC-4.0":    "D   D~  X   X~  X~",
    "CC-BY-NC-SA-1.0": "D   R~  X   X~  X~",
    "CC-BY-NC-SA-2.0": "D   R~  X   X~  X~",
    "CC-BY-NC-SA-2.5": "D   R~  X   X~  X~",
    "CC-BY-NC-SA-3.0": "D   R~  X   X~  X~",
    "CC-BY-NC-SA-4.0": "D   R~  X   X~  X~",
    # The table says D~ for every version; its own row for ND says that 3.0 and older give no
    # right to make adaptations, and so does their section 3.
    "CC-BY-NC-ND-1.0": "R~  X~  X   X~  X~",
    "CC-BY-NC-ND-2.0": "R~  X~  X   X~  X~",
    "CC-BY-NC-ND-2.5": "R~  X~  X   X~  X~",
    "CC-BY-NC-ND-3.0": "R~  X~  X   X~  X~",
    "CC-BY-NC-ND-4.0": "D~  X~  X   X~  X~",
}  # fmt: skip
POOR, RICH, SILENT = ({"annual-revenue-usd": "999999"}, {"annual-revenue-usd": "1000000"}, {})
# base, who asks, what is known of them
BASES = [
    ("scratch",               True,  SILENT, "A   A   A   A   A"),
    ("sprig",                 True,  SILENT, "A   D   D   A   A"),
    ("apache-2.0",            True,  SILENT, "A   D   D   A   A"),
    ("flux.1-schnell",        True,  SILENT, "A   D   D   A   A"),
    ("sd15",                  True,  SILENT, "D   D   D   D   D"),
    ("sdxl",                  True,  SILENT, "D   D   D   D   D"),
    ("sd3.5",                 True,  POOR,   "D   D   D   D   D"),
    ("sd3.5",                 True,  RICH,   "X   X   X   X   X"),
    ("sd3.5",                 True,  SILENT, "R?  R?  R?  R?  R?"),
    # sections II and III: research and non-commercial use know no threshold; selling is neither
    ("sd3.5",                 False, RICH,   "D   D   X   D   X"),
    ("sd3.5",                 False, SILENT, "D   D   R?  D   R?"),
    ("flux.1-dev",            True,  SILENT, "X   X   X   D~  R~"),
    ("flux.1-dev",            False, SILENT, "D   D   X   D~  R~"),
    ("fair-ai-public-1.0-sd", True,  SILENT, "D   R   R   A   A"),
    ("nobody-described-it",   True,  SILENT, "X?  X?  X?  X?  X?"),
]  # fmt: skip
MARK = {Certainty.SETTLED: "", Certainty.CONTESTED: "~", Certainty.UNSTATED: "?"}
LETTER = {Verdict.ALLOW: "A", Verdict.DUTIES: "D", Verdict.REVIEW: "R", Verdict.DENY: "X"}
VERDICT = {letter: verdict for verdict, letter in LETTER.items()}
SHARING_ALIKE = ("sd15", "sdxl", "sd3.5", "flux.1-dev", "fair-ai-public-1.0-sd")


def reading(catalogue, *, commercial=True, profile="conservative", facts=None):
    pairs = tuple((facts or {}).items())
    return Reading(catalogue, catalogue.profile(profile), commercial, pairs)


def cells(terms, how, subject=Subject.PICTURES):
    """The row that these terms give."""
    judged = [judge_terms(terms, use, how, 1, subject).reasons[0] for use in Use]
    return [LETTER[reason.effect] + MARK[reason.certainty] for reason in judged]


def test_the_table_names_every_licence(catalogue):
    assert set(COMMERCIAL) == set(catalogue.licenses)
    named = {catalogue.bases[name].license for name, *_ in BASES if name in catalogue.bases}
    assert named == {base.license for base in catalogue.bases.values()}


@pytest.mark.parametrize("commercial", [True, False])
@pytest.mark.parametrize("license_id", COMMERCIAL)
def test_a_row(catalogue, license_id, commercial):
    row = (COMMERCIAL if commercial else NON_COMMERCIAL)[license_id].split()
    how = reading(catalogue, commercial=commercial)
    assert cells(catalogue.licenses[license_id], how) == row
    train = VERDICT[row[0][0]]
    for use, cell in zip(Use, row, strict=True):
        bound = Verdict.ALLOW if train.passes else train
        judged = judge_expression(license_id, use, how, 7)
        assert judged.verdict is meet(VERDICT[cell[0]], bound), use


@pytest.mark.parametrize("license_id", COMMERCIAL)
def test_a_claimed_licence_concludes_as_its_row_says(catalogue, license_id):
    claim = license_claim(license_id, ClaimSource.ITEM_METADATA, catalogue.aliases)
    said = conclude([claim], catalogue)
    assert said.license == license_id
    row = [VERDICT[cell[0]] for cell in COMMERCIAL[license_id].split()]
    for use, own in zip(Use, row, strict=True):
        assert said.verdicts[use].strictness >= own.strictness
    assert said.verdicts[Use.TRAIN] is row[0]


@pytest.mark.parametrize(("name", "commercial", "facts", "row"), BASES)
def test_a_base_row(catalogue, name, commercial, facts, row):
    how = reading(catalogue, commercial=commercial, facts=facts)
    assert cells(catalogue.base(name).terms, how, Subject.BASE) == row.split()


@pytest.mark.parametrize("license_id", COMMERCIAL)
def test_a_loosened_cell_is_noticed(catalogue, license_id):
    """The table would be no use if it agreed with laxer rules as well."""
    terms = catalogue.licenses[license_id]
    for commercial, use in itertools.product((True, False), Use):
        how = reading(catalogue, commercial=commercial)
        row = (COMMERCIAL if commercial else NON_COMMERCIAL)[license_id].split()
        rule = terms.rule(use, commercial=commercial)
        for effect, certainty in itertools.product(Verdict, Certainty):
            lax = replace(rule, effect=effect, certainty=certainty)
            if how.profile.effect(lax).strictness >= how.profile.effect(rule).strictness:
                continue
            where = "rules"
            if not commercial and use in terms.non_commercial:
                where = "non_commercial"
            lines = MappingProxyType({**getattr(terms, where), use: lax})
            changed = replace(terms, **{where: lines})
            assert cells(changed, how) != row, (use, effect, certainty)


@pytest.mark.parametrize("profile", ["tdm-eu", "us-fair-use"])
def test_a_template_asks_where_it_does_not_refuse(catalogue, profile):
    """CONTESTED moves to REVIEW; a SETTLED or UNSTATED cell stays, so no DENY becomes lawful."""
    terms = [*catalogue.licenses.values(), *(base.terms for base in catalogue.bases.values())]
    for text, commercial in itertools.product(terms, (True, False)):
        default = cells(text, reading(catalogue, commercial=commercial))
        template = cells(text, reading(catalogue, commercial=commercial, profile=profile))
        expected = ["R~" if cell.endswith("~") else cell for cell in default]
        assert template == expected, text.id
    described = catalogue.profile(profile)
    assert described.title.startswith("TEMPLATE, not reviewed by a lawyer")
    assert not described.reviewed_by_lawyer


def test_only_tdm_eu_speaks_of_sources_and_of_no_licence(catalogue):
    said = {p.name: (p.not_checked, p.no_license) for p in catalogue.profiles.values()}
    assert said == {
        "conservative": (None, None),
        "tdm-eu": (Verdict.REVIEW, Verdict.REVIEW),
        "us-fair-use": (None, None),
    }


@pytest.mark.parametrize(
    ("expression", "row"),
    [
        ("CC-BY-4.0 AND MIT", "D D D D D"),
        ("CC-BY-4.0 AND CC-BY-NC-4.0", "X X X X X"),
        ("CC0-1.0 AND CC-BY-SA-4.0", "D R R R R"),
        ("CC-BY-4.0 AND ODbL-1.0", "R R R R R"),
        ("CC0-1.0 AND LicenseRef-scancode-pixabay-content", "R R R R R"),
        ("MIT AND LicenseRef-picdeed-shutterstock-standard", "X X X X X"),
        ("Apache-2.0 OR MIT", "D D D A A"),  # its sides agree
        ("CC-BY-NC-4.0 OR CC-BY-NC-SA-4.0", "X X X X X"),
        ("CC-BY-NC-4.0 OR CC0-1.0", "R R R R R"),  # nobody has elected a side
        ("CC-BY-3.0 OR CC-BY-SA-3.0 OR GPL-3.0-only", "D R R R R"),
        ("CC-BY-3.0 OR LicenseRef-picdeed-OGA-BY-3.0", "R R R R R"),
        ("(CC0-1.0 OR MIT) AND CC-BY-4.0", "R R R R R"),
        ("GPL-3.0-only WITH Font-exception-2.0", "X X X X X"),  # an exception is another licence
        ("MIT OR GPL-3.0-only WITH Font-exception-2.0", "R R R R R"),
        ("MIT AND GPL-3.0-only WITH Font-exception-2.0", "X X X X X"),
        ("CC-BY-3.0-DE", "X X X X X"),  # ports: known by name, and nobody has read them
        ("CC-BY-4.0 AND CC-BY-SA-3.0-IGO", "X X X X X"),
        ("LicenseRef-of-somebody", "X X X X X"),
        ("NOASSERTION", "X X X X X"),
    ],
)
def test_compounds(catalogue, expression, row):
    how = reading(catalogue)
    verdicts = [judge_expression(expression, use, how, 1).verdict for use in Use]
    assert " ".join(LETTER[verdict] for verdict in verdicts) == row


@pytest.mark.parametrize("raw", ["", "cc", "CC BY", "all rights reserved", "MIT AND (", "Pexels?"])
def test_what_cannot_be_read_is_denied(catalogue, raw):
    said = conclude([license_claim(raw, ClaimSource.PERSON, catalogue.aliases)], catalogue)
    assert set(said.verdicts.values()) == {Verdict.DENY}
    assert said.rule == "R0"


@pytest.mark.parametrize("base", SHARING_ALIKE)
@pytest.mark.parametrize("license_id", ["CC-BY-SA-4.0", "CC-BY-SA-2.0", "GPL-3.0-or-later"])
def test_share_alike_pictures_clash_with_a_base_that_binds(catalogue, license_id, base):
    question = Question((Use.SHARE_ADAPTER,), facts=tuple(POOR.items()))
    terms = catalogue.base(base)
    said = decide([Group(license_id, size=3)], terms, question, catalogue)
    assert said.verdict is Verdict.DENY
    clash = next(reason for reason in said.reasons if reason.rule == "share-alike")
    assert catalogue.licenses[license_id].release_clause in clash.clause
    assert terms.terms.release_clause in clash.clause


@pytest.mark.parametrize("base", SHARING_ALIKE)
def test_other_pictures_do_not_clash_with_it(catalogue, base):
    question = Question((Use.SHARE_ADAPTER,), facts=tuple(POOR.items()))
    groups = [Group("CC-BY-4.0"), Group("MIT"), Group("CC0-1.0")]
    said = decide(groups, catalogue.base(base), question, catalogue)
    assert not [reason for reason in said.reasons if reason.rule == "share-alike"]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("CC-BY-SA-1.0", "CC-BY-SA-2.0", True),  # 1.0 names no later version
        ("CC-BY-SA-2.0", "CC-BY-SA-3.0", False),
        ("CC-BY-SA-2.5", "CC-BY-SA-4.0", False),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", False),
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", True),
        ("CC-BY-SA-4.0", "GPL-3.0-or-later", True),
        ("CC-BY-SA-4.0", "ODbL-1.0", True),
        ("GPL-2.0-only", "GPL-3.0-only", True),
        ("GPL-2.0-or-later", "GPL-3.0-only", False),
    ],
)
def test_two_share_alikes(catalogue, one, other, clash):
    question = Question((Use.SHARE_ADAPTER,), commercial=False)
    groups = [Group(one), Group(other)]
    said = decide(groups, catalogue.base("scratch"), question, catalogue)
    assert any(reason.rule == "share-alike" for reason in said.reasons) is clash
