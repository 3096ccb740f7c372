"""Are rights texts understood only where nothing can be misunderstood?"""

import pytest

from picdeed.rights.claims import ClaimKind, ClaimSource, ClaimStatus, Statement
from picdeed.rights.signals.statement import read_statement

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
