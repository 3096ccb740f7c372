"""Do two licences that each want the adapter for themselves stop it from leaving the house?"""

from dataclasses import replace

import pytest

from picdeed.rights.combination import clashes, release_licenses
from picdeed.rights.verdict import Subject, Use, Verdict


def test_two_share_alikes_deny_passing_on_with_both_clauses_named(catalogue):
    held = [("CC-BY-SA-4.0", 3), ("CC-BY-NC-SA-4.0", 2), ("CC0-1.0", 9)]
    reasons = clashes(held, catalogue.base("sprig"), list(Use), catalogue)
    assert [reason.use for reason in reasons] == [Use.SHARE_ADAPTER, Use.SELL_ADAPTER]
    for reason in reasons:
        assert reason.subject is Subject.COMBINATION
        assert reason.effect is Verdict.DENY
        assert reason.pictures == 5
        assert "CC-BY-SA-4.0 3(b)" in reason.clause
        assert "CC-BY-NC-SA-4.0 3(b)" in reason.clause


@pytest.mark.parametrize(
    "held",
    [
        [],
        [("CC0-1.0", 1), ("MIT", 1)],
        [("CC-BY-SA-4.0", 1), ("CC-BY-SA-4.0 AND MIT", 1)],
        [("CC-BY-SA-3.0", 1), ("CC-BY-SA-4.0", 1)],  # 3.0 lets adaptations move to 4.0
        [("GPL-2.0-or-later", 1), ("GPL-3.0-only", 1)],
    ],
)
def test_what_fits_together_leaves_no_reason(catalogue, held):
    assert clashes(held, catalogue.base("sprig"), list(Use), catalogue) == ()


def test_one_picture_can_clash_with_itself(catalogue):
    held = [("CC-BY-NC-SA-4.0 AND CC-BY-SA-4.0", 1)]
    assert len(clashes(held, catalogue.base("sprig"), [Use.SHARE_ADAPTER], catalogue)) == 1


def test_a_base_that_binds_its_adapters_clashes_with_share_alike(catalogue):
    free = catalogue.base("sprig")
    bound = replace(free, terms=replace(free.terms, release_as=("OpenRAIL-M",)))
    (reason,) = clashes([("CC-BY-SA-4.0", 1)], bound, [Use.SHARE_ADAPTER], catalogue)
    assert "OpenRAIL-M" in reason.clause
    assert clashes([("MIT", 1)], bound, [Use.SHARE_ADAPTER], catalogue) == ()


def test_releases_of_expressions(catalogue):
    assert release_licenses("MIT", catalogue) is None
    assert release_licenses("GPL-2.0-only", catalogue) == {"GPL-2.0-only"}
    either = release_licenses("CC-BY-SA-4.0 OR GPL-2.0-only", catalogue)
    assert either == {"CC-BY-SA-4.0", "GPL-2.0-only"}
    assert release_licenses("CC0-1.0 OR GPL-2.0-only", catalogue) is None
