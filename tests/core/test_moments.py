"""Do days and moments become one sortable spelling, and is nonsense refused?"""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from picdeed.core.errors import UsageError
from picdeed.core.moments import later, moment, stamp


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-25", "2026-11-25T00:00:00.000000Z"),
        (" 2026-11-25T10:00 ", "2026-11-25T10:00:00.000000Z"),
        ("2026-11-25T10:00+02:00", "2026-11-25T08:00:00.000000Z"),
        ("2026-11-25T10:00Z", "2026-11-25T10:00:00.000000Z"),
    ],
)
def test_moments(said, meant):
    assert moment(said) == meant


def test_a_bare_day_can_mean_its_end():
    assert moment("2026-12-31", end_of_day=True) == "2026-12-31T23:59:59.999999Z"
    assert moment("2026-12-31T08:00", end_of_day=True) == "2026-12-31T08:00:00.000000Z"


@pytest.mark.parametrize(
    "said", ["", "soon", "2026-13-01", "31.12.2026", "0000-00-00", "9999-12-31T24:00", "\x00"]
)
def test_nonsense_is_refused(said):
    with pytest.raises(UsageError, match="no date"):
        moment(said)


def test_the_end_of_time_does_not_crash():
    with pytest.raises(UsageError):
        moment("0001-01-01T00:00+14:00")
    assert moment("9999-12-31") == "9999-12-31T00:00:00.000000Z"


def test_stamps_sort_by_time_whatever_their_zone():
    east = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert stamp(east) < stamp(datetime(2026, 1, 1, tzinfo=UTC))
    assert later("2026-01-31T00:00:00.000000Z", timedelta(days=1)) == "2026-02-01T00:00:00.000000Z"
