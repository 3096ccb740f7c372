"""Does every picture of the corpus that reserves stay out of training, and every clean twin pass?"""

from __future__ import annotations

from pathlib import Path

import pytest
from rights.signals.corpus import Case, all_cases

from picdeed.core.limits import DEFAULT
from picdeed.credentials.keys import make_development_identity
from picdeed.credentials.mining import read_store
from picdeed.flow.statements import item_claims
from picdeed.imaging.decode import decode
from picdeed.imaging.metadata import embedded
from picdeed.rights.claims import ClaimSource, license_claim
from picdeed.rights.decide import conclude
from picdeed.rights.verdict import Use, Verdict
from picdeed.sources.items import Item

# Names need no identity; the builders ask for it when a test runs.
NAMES = [case.name for case in all_cases(None)]


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, Case]:
    identity = make_development_identity(tmp_path_factory.mktemp("keys"))
    return {case.name: case for case in all_cases(identity)}


def verdict(data: bytes, catalogue) -> Verdict:
    """On training, of a registered file with a CC0 claim beside it: the way that ingest takes."""
    decoded = decode(data)
    inside = embedded(data, decoded.media_type)
    item = Item("a", "a", Path("a"), lambda: data)
    store = read_store(data, decoded.media_type)
    claims, _ = item_claims(item, inside, catalogue.aliases, DEFAULT, store)
    free = license_claim("CC0-1.0", ClaimSource.PERSON, catalogue.aliases)
    return conclude([free, *claims], catalogue).verdicts[Use.TRAIN]


def test_the_corpus_is_large_and_says_what_it_holds():
    assert len(NAMES) == len(set(NAMES)) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_what_reserves_does_not_pass(name, cases, catalogue):
    assert verdict(cases[name].build(True), catalogue) is Verdict[cases[name].verdict]


@pytest.mark.parametrize("name", NAMES)
def test_its_clean_twin_passes(name, cases, catalogue):
    assert verdict(cases[name].build(False), catalogue) is Verdict.ALLOW
