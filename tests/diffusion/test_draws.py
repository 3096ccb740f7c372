"""Is every draw a function of seed, step and slot alone, fair and stratified?"""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from picdeed.diffusion.draws import exposures, fixed_seed, slots_of

PICTURES = tuple(f"img_{n}" for n in range(7))


def slots(step, seed=0, pictures=PICTURES, batch=4, **more):
    return slots_of(step, pictures, seed=seed, batch=batch, timesteps=1000, **more)


def test_a_step_draws_the_same_whatever_was_drawn_before():
    alone = slots(17)
    for step in (3, 99, 16):
        slots(step)
    assert slots(17) == alone


def test_the_listing_order_of_the_pictures_does_not_matter():
    assert slots(5) == slots(5, pictures=PICTURES[::-1])


def test_seeds_steps_and_slots_differ_in_noise():
    drawn = [s.noise_seed for seed in (0, 1) for step in range(50) for s in slots(step, seed)]
    assert len(set(drawn)) == len(drawn)


def test_every_epoch_shows_every_picture_once_in_an_order_of_its_own():
    shown = [slot.picture for step in range(7) for slot in slots(step)]
    epochs = [tuple(shown[start : start + 7]) for start in range(0, 28, 7)]
    assert all(sorted(epoch) == sorted(PICTURES) for epoch in epochs)
    assert len(set(epochs)) == 4


@given(st.integers(0, 500), st.integers(0, 2**62), st.integers(1, 32))
def test_timesteps_take_one_stratum_each(step, seed, batch):
    drawn = sorted(slot.timestep for slot in slots(step, seed, batch=batch))
    for stratum, timestep in enumerate(drawn):
        assert stratum * 1000 / batch - 1 <= timestep < (stratum + 1) * 1000 / batch


def test_which_slot_gets_which_stratum_changes_from_step_to_step():
    assert len({tuple(s.timestep // 250 for s in slots(step)) for step in range(20)}) > 5


@given(st.integers(1, 20), st.integers(0, 30), st.integers(1, 9), st.integers(0, 9))
def test_exposures_sum_to_steps_times_batch_and_agree_with_the_slots(count, steps, batch, seed):
    pictures = [f"img_{n}" for n in range(count)]
    planned = exposures(pictures, seed=seed, steps=steps, batch=batch)
    assert sum(planned.values()) == steps * batch
    assert max(planned.values()) - min(planned.values()) <= 1
    shown = Counter(
        slot.picture
        for step in range(steps)
        for slot in slots(step, seed, pictures=pictures, batch=batch)
    )
    assert shown == Counter(planned)


def test_flips_and_dropped_captions_come_as_often_as_asked():
    drawn = [s for step in range(300) for s in slots(step, flip=True, caption_dropout=0.1)]
    assert 0.45 < sum(s.flip for s in drawn) / len(drawn) < 0.55
    assert 0.07 < sum(s.drop_caption for s in drawn) / len(drawn) < 0.13
    assert not any(s.flip or s.drop_caption for step in range(50) for s in slots(step))


def test_a_fixed_seed_depends_on_every_word():
    assert fixed_seed("a", 1) == fixed_seed("a", 1)
    assert len({fixed_seed("a", 1), fixed_seed("a", 2), fixed_seed("b", 1)}) == 3
