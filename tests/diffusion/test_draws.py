"""Is every draw a function of seed, step and slot alone, fair and stratified?"""

import json
from collections import Counter
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.ids import sha256
from picdeed.diffusion.draws import exposures, fixed_seed, slots_of

PICTURES = tuple(f"img_{n}" for n in range(7))


def slots(step, seed=0, pictures=PICTURES, batch=4, **more):
    return slots_of(step, pictures, seed=seed, batch=batch, timesteps=1000, **more)


def test_a_step_draws_the_same_whatever_was_drawn_before():
    alone = slots(17)
    for step in (3, 99, 16):
        slots(step)
    assert slots(17) == alone


def test_what_is_drawn_without_copies_is_what_was_always_drawn():
    slots_then = [s for n in range(50) for s in slots(n, 3, flip=True, caption_dropout=0.1)]
    assert not any(slot.crop for slot in slots_then), "there was the middle crop alone"
    drawn = [astuple(slot)[:5] for slot in slots_then]
    digest = sha256(json.dumps(drawn).encode())
    assert digest == "37ba9d1830b3c1a7f462e4475ed2e167b6b567e5cb551f729eadaf8a0220fe95"


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


COPIES = (("img_1", "img_4", "img_6"), ("img_2", "img_3"))


def test_every_epoch_shows_one_of_the_copies_and_each_in_its_turn():
    shown = [slot.picture for step in range(60) for slot in slots(step, copies=COPIES)]
    epochs = [shown[start : start + 4] for start in range(0, 240, 4)]
    for epoch in epochs:
        assert {"img_0", "img_5"} < set(epoch)
        assert [len(set(epoch).intersection(group)) for group in COPIES] == [1, 1]
    for group in COPIES:
        turns = [next(iter(set(epoch).intersection(group))) for epoch in epochs]
        parts = [tuple(turns[at : at + len(group)]) for at in range(0, 60, len(group))]
        assert all(sorted(part) == sorted(group) for part in parts)
        assert len(set(parts)) > 1


def test_without_their_copies_the_others_keep_their_order():
    alone = [slot.picture for step in range(30) for slot in slots(step, pictures=PICTURES[:5])]
    pictures, copies = (*PICTURES[:5], "img_5", "img_6"), [("img_2", "img_5", "img_6")]
    joined = [s.picture for n in range(30) for s in slots(n, pictures=pictures, copies=copies)]
    assert ["img_2" if one in copies[0] else one for one in joined] == alone


def test_the_order_in_which_copies_are_listed_does_not_matter():
    turned = tuple(group[::-1] for group in COPIES[::-1])
    for step in range(20):
        assert slots(step, copies=COPIES) == slots(step, pictures=PICTURES[::-1], copies=turned)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
    st.integers(0, 40),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_a_cluster_is_shown_as_often_as_a_picture_and_its_copies_alike(sizes, steps, batch, seed):
    groups = [[f"img_{n}_{k}" for k in range(size)] for n, size in enumerate(sizes)]
    pictures = [one for group in groups for one in group]
    copies = [group for group in groups if len(group) > 1]
    planned = exposures(pictures, seed=seed, steps=steps, batch=batch, copies=copies)
    assert list(planned) == pictures
    assert sum(planned.values()) == steps * batch
    by_group = [sum(planned[one] for one in group) for group in groups]
    assert max(by_group) - min(by_group) <= 1
    for group in groups:
        counts = [planned[one] for one in group]
        assert max(counts) - min(counts) <= 1
    shown = Counter(
        slot.picture
        for step in range(steps)
        for slot in slots(step, seed, pictures=pictures, batch=batch, copies=copies)
    )
    assert shown == Counter(planned)


@pytest.mark.parametrize("copies", [[("img_0", "img_9")], [PICTURES[:2], PICTURES[1:3]]])
def test_copies_that_are_not_drawn_or_stand_twice_are_refused(copies):
    with pytest.raises(ValueError, match="copies"):
        slots(0, copies=copies)


def test_flips_and_dropped_captions_come_as_often_as_asked():
    drawn = [s for step in range(300) for s in slots(step, flip=True, caption_dropout=0.1)]
    assert 0.45 < sum(s.flip for s in drawn) / len(drawn) < 0.55
    assert 0.07 < sum(s.drop_caption for s in drawn) / len(drawn) < 0.13
    assert not any(s.flip or s.drop_caption for step in range(50) for s in slots(step))


CROPS = {"img_1": 3, "img_4": 2, "img_6": 5}


def test_drawing_crops_moves_no_other_draw_and_no_other_row():
    same = {"flip": True, "caption_dropout": 0.3, "copies": COPIES}
    for step in range(30):
        drawn = slots(step, crops=CROPS, **same)
        assert tuple(replace(slot, crop=0) for slot in drawn) == slots(step, **same)
        left = slots(step, crops=CROPS, without={"img_4", "img_0"}, **same)
        assert left == tuple(s for s in drawn if s.picture not in {"img_4", "img_0"})


def test_each_of_a_picture_s_crops_comes_as_often_in_a_mirror_or_not():
    drawn = [s for step in range(1500) for s in slots(step, crops=CROPS, flip=True)]
    for picture in PICTURES:
        count = CROPS.get(picture, 1)
        seen = Counter((s.crop, s.flip) for s in drawn if s.picture == picture)
        assert set(seen) == {(crop, flip) for crop in range(count) for flip in (False, True)}
        assert max(seen.values()) < 1.4 * sum(seen.values()) / len(seen) < 2 * min(seen.values())


def test_seed_step_and_slot_all_decide_a_crop():
    crops = dict.fromkeys(PICTURES, 16)
    rows = [[s.crop for s in slots(n, k, crops=crops)] for n in range(4) for k in range(4)]
    assert len({tuple(row) for row in rows}) == len(rows)
    assert all(len(set(row)) > 1 for row in rows)


def test_a_fixed_seed_depends_on_every_word():
    assert fixed_seed("a", 1) == fixed_seed("a", 1)
    assert len({fixed_seed("a", 1), fixed_seed("a", 2), fixed_seed("b", 1)}) == 3
