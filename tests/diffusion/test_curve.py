"""Is the curve read as it was measured, and too long told from unlucky?"""

import pytest

from picdeed.diffusion.curve import Curve, Point, curve_of


def rows(*points, base=1.0):
    """A log: (step, each picture's loss) as its rows hold them."""
    return [
        {
            "step": step - 1,
            "loss": 0.5,
            "held_out": sum(each) / len(each),
            "held_out_base": base,
            "held_out_each": list(each),
        }
        for step, each in points
    ]


def test_a_log_without_measurements_has_no_curve():
    assert curve_of([]) is None
    assert curve_of([{"step": 0, "loss": 1.0}]) is None
    assert curve_of([{"step": 0, "held_out": 1.0}]) is None


def test_steps_are_counted_from_the_start_and_the_earliest_lowest_is_best():
    log = [{"step": 0, "loss": 9.0}, *rows((2, (0.8, 0.6)), (4, (0.6, 0.4)), (6, (0.4, 0.6)))]
    curve = curve_of(log)
    assert [(point.step, point.loss) for point in curve.points] == [(2, 0.7), (4, 0.5), (6, 0.5)]
    assert curve.best.step == 4
    assert curve.document() == {
        "base": 1.0,
        "points": [
            {"step": 2, "loss": 0.7},
            {"step": 4, "loss": 0.5},
            {"step": 6, "loss": 0.5},
        ],
        "best": 4,
        "pictures": 2,
        "over_trained": None,
    }


def test_measurements_of_other_pictures_are_not_compared():
    curve = curve_of(rows((2, (0.1, 0.1, 0.1)), (4, (0.8, 0.6)), (6, (0.6, 0.4))))
    assert [point.step for point in curve.points] == [4, 6]


LOW = (0.5, 0.7, 0.6, 0.8)
RISEN = tuple(loss + 0.05 for loss in LOW)
HIGHER = (0.58, 0.77, 0.69, 0.88)
# Up by as much in the mean, but one picture alone does it.
ONE = (0.5, 0.7, 0.6, 1.0)
SLIGHT = tuple(loss * 1.005 for loss in LOW)


@pytest.mark.parametrize(
    ("after", "since"),
    [
        ((), None),
        ((RISEN,), None),  # once is no direction
        ((RISEN, HIGHER), 4),
        ((LOW, RISEN, HIGHER), 6),
        ((RISEN, HIGHER, LOW), None),  # it came back
        ((ONE, ONE), None),
        ((SLIGHT, SLIGHT, SLIGHT), None),
        ((ONE, RISEN, RISEN), 6),
    ],
)
def test_it_was_too_long_only_where_the_loss_rose_for_good(after, since):
    points = [(2, LOW), *((4 + 2 * place, each) for place, each in enumerate(after))]
    over = curve_of(rows(*points)).over_trained
    assert (over.since if over else None) == since
    if over:
        last = sum(after[-1]) / sum(LOW) - 1
        assert (over.best, over.rise) == (2, pytest.approx(last))


def test_one_picture_proves_no_rise():
    points = [Point(step, loss, (loss,)) for step, loss in ((1, 0.5), (2, 0.8), (3, 0.9))]
    assert Curve(1.0, tuple(points)).over_trained is None
