"""Does each channel come out of the same decoder, alone and unchanged?"""

import numpy as np
import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.inside.channels import channels
from picdeed.diffusion.inside.latents import decoded, encoded
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw


@pytest.fixture
def base(taught_base):
    return load_base(taught_base)


@pytest.fixture
def picture(base):
    (drawn,) = draw(base, ["disc 1"], [3], steps=4)
    return drawn


def test_a_factor_of_1_changes_nothing(base, picture):
    plain = decoded(base, encoded(base, picture))
    seen = channels(base, picture, factor=1)
    assert seen.decoded.tobytes() == plain.tobytes()
    assert len(seen.channels) == 4
    assert all(one.without.tobytes() == plain.tobytes() for one in seen.channels)
    assert [one.apart for one in seen.channels] == [0] * 4


def test_each_channel_is_taken_away_alone(base, picture):
    told = []
    seen = channels(base, picture, progress=lambda *what: told.append(what))
    latents = encoded(base, picture)
    for one in seen.channels:
        changed = latents.clone()
        changed[:, one.number] = 0
        assert one.without.tobytes() == decoded(base, changed).tobytes()
    assert len({one.without.tobytes() for one in seen.channels}) == 4
    assert told == [("decode", n, 4) for n in range(5)]


def test_the_maps_are_the_latents(base, picture):
    latents = encoded(base, picture)[0]
    for one in channels(base, picture).channels:
        values = latents[one.number]
        assert one.map.size == picture.size
        shades = np.asarray(one.map)[2::4, 2::4, 0] / 127.5 - 1  # one pixel of each square
        assert np.allclose(shades, (values / 3).clamp(-1, 1), atol=0.005)
        assert one.mean == pytest.approx(float(values.mean()))


def test_a_factor_beyond_reason_is_refused(base, picture):
    with pytest.raises(UsageError, match="outside"):
        channels(base, picture, factor=float("nan"))
