"""Is the embedded base looked into as it draws, and is what is missing told?"""

from __future__ import annotations

import json
import sys
import threading

import numpy as np
import pytest

from picdeed.core.errors import Denied, IntegrityError, MissingPart, UsageError
from picdeed.core.events import Event
from picdeed.core.resources import bundled
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import Suited, suited
from picdeed.flow import inside, pipeline
from picdeed.registry import bases, ledger
from picdeed.registry.session import create_registry

WISH = pipeline.Wish("cat on a blue background", seed=3, steps=2)


@pytest.fixture
def base(registry):
    return inside.embedded(registry)


def test_the_words_are_the_deeds(base):
    deed = json.loads((bundled("models") / "sprig" / "deed.json").read_text())
    assert base.things == tuple(deed["concepts"])
    assert base.sha256 == deed["sha256"]
    assert base.times == 1000
    assert base.suited == suited(bundled("models") / "sprig")
    assert base.grounds
    assert 1e6 < base.size < 25e6


def test_a_prompt_is_a_caption_as_it_was_trained():
    known = inside.Vocabulary(
        "bas_1", "sprig", "0" * 64, 1, "v_prediction", 1000, ("cat",), ("blue",),
        ("blue", "orange"), ("on a beach",), Suited(Sampler.DDIM),
    )  # fmt: skip
    assert known.prompt("cat") == "cat"
    assert known.prompt("cat", behind="orange") == "cat on an orange background"
    assert known.prompt("cat", tint="blue", behind="on a beach") == "blue cat on a beach"


def test_every_part_is_about_the_picture_that_is_drawn(registry, base):
    plain = inside.drawn(registry, base.id, WISH).tobytes()
    assert inside.denoised(registry, base.id, WISH).picture.tobytes() == plain
    assert inside.attention(registry, base.id, WISH).picture.tobytes() == plain
    assert inside.noised(registry, base.id, WISH, (0, 999)).picture.tobytes() == plain
    assert inside.channels(registry, base.id, WISH, 1.0).picture.tobytes() == plain
    own = base.suited.guidance
    (same, other) = inside.guided(registry, base.id, WISH, (own, own + 2))
    assert same.picture.tobytes() == plain != other.picture.tobytes()
    (sampled,) = inside.sampled_by(registry, base.id, WISH, ("ddim",), (2,))
    assert sampled.picture.tobytes() == plain


def test_it_is_the_picture_that_generate_draws_and_nothing_is_recorded(registry, base):
    picture = inside.drawn(registry, base.id, WISH)
    with registry.read() as session:
        before = ledger.last_event(session)
    inside.attention(registry, base.id, WISH)
    with registry.read() as session:
        assert ledger.last_event(session) == before
    (output,) = pipeline.generate(registry, "sprig", WISH).outputs
    from PIL import Image

    with Image.open(registry.root / "held" / f"{output}.png") as held:
        assert np.array_equal(np.asarray(held), np.asarray(picture))


def test_two_who_look_at_once_see_their_own(registry, base):
    wishes = [pipeline.Wish(prompt, seed=1, steps=3) for prompt in ("cat", "red heart")]
    alone = [inside.attention(registry, base.id, wish) for wish in wishes]
    seen = {}
    both = [
        threading.Thread(
            target=lambda w=wish: seen.update({w: inside.attention(registry, base.id, w)})
        )
        for wish in wishes
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    for wish, told in zip(wishes, alone, strict=True):
        assert [word.text for word in seen[wish].words] == [word.text for word in told.words]
        assert all(
            np.array_equal(a.maps, b.maps)
            for a, b in zip(seen[wish].words, told.words, strict=True)
        )


def test_an_unknown_sampler_is_refused(registry, base):
    with pytest.raises(UsageError, match="magic"):
        inside.sampled_by(registry, base.id, WISH, ("magic",), (2,))


def test_a_registry_without_the_base(tmp_path):
    with pytest.raises(MissingPart, match="no embedded base") as told:
        inside.embedded(create_registry(tmp_path / "bare"))
    assert "picdeed init" in told.value.hint


def test_a_base_whose_files_are_gone(registry, base):
    change(registry, path="bundled:gone")
    with pytest.raises(MissingPart, match="gone"):
        inside.embedded(registry)


def test_weights_that_are_not_the_recorded_ones_draw_nothing(registry, base):
    change(registry, sha256="0" * 64)
    with pytest.raises(IntegrityError):
        inside.drawn(registry, base.id, WISH)


@pytest.mark.parametrize("part", ["torch", "peft"])
def test_without_the_extra_it_says_what_to_install(registry, base, monkeypatch, part):
    monkeypatch.setitem(sys.modules, part, None)
    for ask in (
        lambda: inside.embedded(registry),
        lambda: inside.drawn(registry, base.id, WISH),
    ):
        with pytest.raises(MissingPart, match=part) as told:
            ask()
        assert "picdeed[train]" in told.value.hint


def test_a_revoked_base_shows_nothing(registry, base):
    pipeline.withdraw(registry, base.id, pipeline.Ground.TAKEDOWN)
    for ask in (
        lambda: inside.embedded(registry),
        lambda: inside.drawn(registry, base.id, WISH),
    ):
        with pytest.raises(Denied, match="revoked"):
            ask()


def change(registry, **values):
    """What somebody with the database's password does."""
    with registry.write() as session:
        row = bases.by_name(session, "sprig")
        for name, value in values.items():
            setattr(row, name, value)
        ledger.write(session, Event.INIT_BASE, {"base": row.id}, [row])
