"""Is one picture noised along the base's own schedule, with one and the same noise?"""

import numpy as np
import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.inside.noising import noised
from picdeed.diffusion.inside.views import apart
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw


@pytest.fixture
def base(taught_base):
    return load_base(taught_base)


@pytest.fixture
def picture(base):
    (drawn,) = draw(base, ["disc 1"], [3], steps=4)
    return drawn


def test_it_goes_away_little_by_little(base, picture):
    times = (0, 250, 500, 750, 999)
    told = []
    found = noised(base, picture, times, seed=5, progress=lambda *what: told.append(what))
    assert [one.time for one in found.mixed] == list(times)
    signals = [one.signal for one in found.mixed]
    assert signals == sorted(signals, reverse=True)
    assert signals[-1] == 0
    far = [apart(found.decoded, one.picture) for one in found.mixed]
    assert far == sorted(far)
    assert told[-1] == ("noise", 5, 5)
    assert found.picture.tobytes() == picture.tobytes()
    assert len(found.signal) == 1000


def test_at_the_last_time_every_picture_with_one_seed_is_the_same_static(base, picture):
    (other,) = draw(base, ["disc 2"], [9], steps=4)
    last = [noised(base, one, [999], seed=5).mixed[0].picture for one in (picture, other)]
    assert last[0].tobytes() == last[1].tobytes()
    again = noised(base, picture, [999], seed=6).mixed[0].picture
    assert np.any(np.asarray(again) != np.asarray(last[0]))


def test_a_time_outside_of_the_schedule_is_refused(base, picture):
    with pytest.raises(UsageError, match="outside"):
        noised(base, picture, [5, 1000])
