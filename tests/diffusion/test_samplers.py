"""Are samplers known by name, and does each have its scheduler?"""

import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.families.known import FAMILIES
from picdeed.diffusion.samplers import Sampler, parse_sampler


def test_they_are_known_by_name_in_any_case():
    assert parse_sampler("DPM++") is Sampler.DPM
    assert parse_sampler("Euler-A") is Sampler.EULER_A


def test_another_name_is_refused_with_the_choice():
    with pytest.raises(UsageError, match="magic") as told:
        parse_sampler("magic")
    assert "unipc" in told.value.hint


def test_each_has_its_scheduler():
    known = [family.samplers("epsilon") for family in FAMILIES]
    assert {sampler for some in known for sampler in some} == set(Sampler)
    assert all(known)
