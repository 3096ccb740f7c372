"""Does the evidence pass for a run that learned, and fail for runs that could not?"""

import pytest

from picdeed.diffusion import evidence
from picdeed.diffusion.cache import latent_moments, prompt_embeddings
from picdeed.diffusion.evidence import Evidence, Hearing
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.train import train
from picdeed.diffusion.worn import put_on


@pytest.fixture
def judged(taught_base, ink, make_plan, tmp_path):
    """Trains on any pictures and judges the adapter on ink that no run ever sees."""
    seen, unseen = ink[:8], ink[8:]

    def judge(pictures=None, **knobs):
        plan = make_plan(taught_base, pictures or seen, **{"steps": 30, "hold_out": 0.0} | knobs)
        plan.write(tmp_path / "run")
        train(tmp_path / "run")
        base = load_base(taught_base)
        put_on(base, load_adapter(tmp_path / "run" / "adapter.safetensors"))
        moments = latent_moments(base, unseen, tmp_path / "cache", flip=False)
        texts = prompt_embeddings(base, {t.caption for t in unseen}, tmp_path / "cache")
        return evidence.measure(base, moments, {t.picture: texts[t.caption] for t in unseen})

    return judge


def test_a_real_run_shows_that_it_learned_on_pictures_it_never_saw(judged):
    found = judged()
    assert found.learned
    assert found.ratio < 0.95
    assert found.improved == found.pictures == 4


def test_zero_steps_show_nothing(judged):
    found = judged(steps=0)
    assert not found.learned
    assert found.adapter == found.base


def test_pictures_of_another_style_show_nothing(judged, colours):
    assert not judged(colours).learned


def test_evidence_repeats_and_reports_every_timestep(taught_base, ink, make_plan, tmp_path):
    make_plan(taught_base, ink, steps=2).write(tmp_path / "run")
    first = train(tmp_path / "run")["loss"]
    (tmp_path / "run" / "result.json").unlink()
    assert train(tmp_path / "run")["loss"] == first
    assert [row["timestep"] for row in first["per_t"]] == [62, 187, 312, 437, 562, 687, 812, 937]
    mean = sum(row["adapter"] for row in first["per_t"]) / 8
    assert mean == pytest.approx(first["adapter"])


@pytest.mark.parametrize(
    ("adapter", "improved", "learned"),
    [(0.5, 4, True), (0.97, 3, True), (0.98, 4, False), (0.5, 2, False), (1.2, 0, False)],
)
def test_learning_needs_a_gain_above_chance_on_most_pictures(adapter, improved, learned):
    found = Evidence(base=1.0, adapter=adapter, pictures=4, improved=improved, per_t=())
    assert found.learned is learned
    assert found.document()["learned"] is learned


@pytest.mark.parametrize(
    ("hearing", "learned"),
    [
        (None, True),  # one caption for all: nothing to hear
        (Hearing(base=0.01, adapter=0.0), True),  # a base that never listened lost nothing
        (Hearing(base=0.1, adapter=0.08), True),
        (Hearing(base=0.1, adapter=0.04), False),
        (Hearing(base=0.1, adapter=-0.1), False),
    ],
)
def test_an_adapter_that_no_longer_hears_captions_learned_nothing(hearing, learned):
    found = Evidence(base=1.0, adapter=0.5, pictures=4, improved=4, per_t=(), hearing=hearing)
    assert found.learned is learned


def test_fewer_than_two_held_out_pictures_are_no_evidence():
    with pytest.raises(ValueError, match="at least 2"):
        evidence.measure(None, {"one": None}, {})
