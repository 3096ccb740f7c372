"""Is a picture guided within its interval, and outside of it by the words alone?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from picdeed.core.errors import UsageError
from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.guidance import ALWAYS, Interval
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.prompts import WORDS
from picdeed.diffusion.sample import draw, draw_latents
from picdeed.diffusion.samplers import Sampler

STEPS, SCALE = 4, 3.0
MIDDLE = Interval(0.25, 0.75)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with repeatable(1):
        yield


def sampler_of(base: Base) -> Sampler:
    return next(iter(base.family.samplers(base.facts.prediction)))


def latents(base: Base, interval: Interval = ALWAYS, guidance: float = SCALE) -> torch.Tensor:
    return draw_latents(
        base, "a cat", 5, steps=STEPS, guidance=guidance, interval=interval,
        sampler=sampler_of(base),
    )  # fmt: skip


@pytest.fixture(params=["sd", "sdxl", "sd3"])
def base(folders, request) -> Base:
    return load_base(folders[request.param])


def rows_of(base: Base, interval: Interval) -> list[int]:
    """How many rows the network answered about in each step."""
    seen: list[int] = []
    hook = base.network.register_forward_hook(lambda _, __, said: seen.append(len(said[0])))
    try:
        latents(base, interval)
    finally:
        hook.remove()
    return seen


def test_outside_the_interval_the_words_alone_are_asked_about(base: Base) -> None:
    assert rows_of(base, ALWAYS) == [2, 2, 2, 2]
    assert rows_of(base, MIDDLE) == [1, 2, 2, 1]


def test_the_first_steps_are_those_of_other_guidance(base: Base) -> None:
    """Against diffusers itself: its pipeline, whose guidance a callback ends after two steps."""
    pipeline = base.family.pipeline(
        base,
        base.family.samplers(base.facts.prediction)[sampler_of(base)].from_config(
            dict(base.scheduler)
        ),
    )
    pipeline.set_progress_bar_config(disable=True)

    def end(pipe, step, _, named):
        if step == 1:
            pipe._guidance_scale = 1 + 1e-7
        return named

    theirs = pipeline(
        "a cat", num_inference_steps=STEPS, guidance_scale=SCALE, output_type="latent",
        generator=torch.Generator().manual_seed(5), callback_on_step_end=end,
        **base.family.asked(base),
    ).images  # fmt: skip
    ours = latents(base, Interval(0.0, 0.5))
    torch.testing.assert_close(ours, theirs[0].float(), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(ours, latents(base), atol=1e-2)


def test_guidance_that_begins_late_is_the_loop_written_out(folders) -> None:
    base = load_base(folders["sd"])
    scheduler = base.family.samplers("epsilon")[Sampler.DDIM].from_config(dict(base.scheduler))
    scheduler.set_timesteps(STEPS)
    channels, side = base.network.config.in_channels, base.network.config.sample_size
    now = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        asked, nothing = (base.family.encode(base, [words]) for words in ("a cat", ""))
        assert not torch.equal(asked[WORDS], nothing[WORDS])
        for step, time in enumerate(scheduler.timesteps):
            said = base.family.predict(base, now, time[None], asked)
            if step in {1, 2}:
                without = base.family.predict(base, now, time[None], nothing)
                said = without + SCALE * (said - without)
            now = scheduler.step(said, time, now).prev_sample
    torch.testing.assert_close(latents(base, MIDDLE), now[0], rtol=1e-3, atol=1e-4)


def test_an_interval_of_all_steps_changes_no_bit(base: Base) -> None:
    """Though the hooks are on: it ends a hair before the end."""
    assert torch.equal(latents(base, Interval(0.0, 0.999)), latents(base))


def test_without_guidance_there_is_nothing_to_leave_out(base: Base) -> None:
    assert torch.equal(latents(base, MIDDLE, guidance=1.0), latents(base, guidance=1.0))


def test_nothing_is_left_on_the_network(base: Base) -> None:
    class Enough(Exception):
        pass

    def stop(*_: object) -> None:
        raise Enough

    hook = base.network.register_forward_hook(stop)
    with pytest.raises(Enough):
        latents(base, MIDDLE)
    hook.remove()
    assert not base.network._forward_hooks
    assert not base.network._forward_pre_hooks
    assert rows_of(base, ALWAYS) == [2, 2, 2, 2]


def test_who_is_told_guidance_as_a_number_is_not_guided_in_parts(folders) -> None:
    base = load_base(folders["flux"])
    with pytest.raises(UsageError, match="learned its guidance") as refused:
        draw(base, ["a"], [1], steps=2, interval=MIDDLE, sampler=Sampler.EULER)
    assert "--guidance-start" in refused.value.hint


@pytest.mark.parametrize(
    ("interval", "count", "guided"),
    [
        (Interval(0.15, 0.8), 20, range(3, 16)),
        (Interval(0.15, 0.8), 40, range(6, 32)),
        (Interval(0.15, 0.8), 7, range(2, 6)),
        (Interval(0.1, 0.3), 10, range(1, 3)),
        (Interval(0.15, 0.8), 1, range(1, 1)),
        (Interval(0.0, 0.01), 20, range(1)),
        (ALWAYS, 3, range(3)),
    ],
)
def test_a_step_is_guided_that_begins_within(interval, count, guided) -> None:
    assert interval.steps(count) == guided


@pytest.mark.parametrize("ends", [(0.5, 0.5), (0.6, 0.5), (-0.1, 1), (0, 1.1), (float("nan"), 1)])
def test_other_ends_are_refused(tiny_base: Path, ends) -> None:
    with pytest.raises(UsageError, match=r"Guidance cannot begin") as refused:
        draw(load_base(tiny_base), ["a"], [1], steps=2, interval=Interval(*ends))
    assert "nothing was drawn" in refused.value.message
