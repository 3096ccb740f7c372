"""Are rights texts understood only where nothing can be misunderstood?"""

import pytest

from picdeed.rights.claims import ClaimKind, ClaimSource, ClaimStatus, Statement
from picdeed.rights.signals.statement import read_remark, read_statement

SOURCE = ClaimSource.EMBEDDED_EXIF


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
    ],
)
def test_an_exact_licence_is_a_licence(catalogue, raw, parsed):
    claim = read_statement(raw, SOURCE, catalogue.aliases)
    assert (claim.kind, claim.parsed) == (ClaimKind.LICENSE, parsed)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("© 2019 J. Doe", None),
        ("", None),
        ("Licensed under CC BY 4.0", None),  # prose is not a licence
        ("Copyright Doe, ALL RIGHTS RESERVED.", Statement.ALL_RIGHTS_RESERVED),
        ("(c) Doe. All rights are\n reserved", Statement.ALL_RIGHTS_RESERVED),
        ("Alle Rechte vorbehalten", Statement.ALL_RIGHTS_RESERVED),
        ("Tous droits réservés", Statement.ALL_RIGHTS_RESERVED),
        ("No AI training.", Statement.MENTIONS_AI),
        ("not for machine learning", Statement.MENTIONS_AI),
        ("All rights reserved, also for text and data mining", Statement.MENTIONS_AI),
        ("do not train any kind of models with this", Statement.MENTIONS_AI),
        ("Diritti riservati ai sensi di legge", None),  # "ai" is an Italian word
        ("A train in Maine", None),
    ],
)
def test_what_a_text_says(catalogue, raw, said):
    claim = read_statement(raw, SOURCE, catalogue.aliases)
    assert claim.kind is ClaimKind.RIGHTS_STATEMENT
    assert claim.parsed == said
    assert claim.status is ClaimStatus.PARSED
    assert claim.raw == raw


def test_terms_that_are_not_understood_ask(catalogue):
    claim = read_statement("Ask me first", SOURCE, catalogue.aliases, terms=True, note="field")
    assert (claim.parsed, claim.status) == (Statement.UNREAD_TERMS, ClaimStatus.UNPARSED)
    assert claim.note == "field"
    assert read_statement(" ", SOURCE, catalogue.aliases, terms=True).parsed is None


@pytest.mark.parametrize(
    "raw",
    [
        "no ai training",
        "Not for AI/ML training",
        "NoAI",
        "noimageai",
        "Do not use for generative AI",
        "Use in AI datasets is prohibited.",
        "must not be used to train machine-learning models",
        "DMI-PROHIBITED",
        "Kein Training von KI-Modellen",
        "Text- und Data-Mining vorbehalten",
        "Pas d'entraînement par l'IA",
        "искусственный интеллект: запрещено",
        "AI学習禁止",
        "禁止用于人工智能训练",
    ],
)
def test_a_remark_that_forbids(raw):
    claim = read_remark(raw, SOURCE)
    assert claim is not None
    assert (claim.kind, claim.parsed) == (ClaimKind.RIGHTS_STATEMENT, Statement.MENTIONS_AI)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "A hill at noon",
        "At an AI conference in Berlin",
        "Machine learning course, 2019",
        "Des Moines, IA. No parking.",
        "All rights reserved",
        "Not a train in sight",
        "Hungry? No aioli.",
        "MAINE, not Maine",
        "Chained dog, no entry",
    ],
)
def test_a_remark_about_anything(raw):
    assert read_remark(raw, SOURCE) is None


def test_a_long_remark_is_no_trap():
    for text in ("no " * 30_000, "train " * 16_000, "no Axx-" * 14_000, "reserv" * 16_000):
        assert read_remark(text, SOURCE) is None
    claim = read_remark("no " * 40_000, SOURCE)
    assert claim is not None
    assert claim.status is ClaimStatus.UNREADABLE


def test_a_ban_at_the_end_of_a_long_text_counts():
    assert read_remark("a hill. " * 5_000 + "No AI training.", SOURCE) is not None
