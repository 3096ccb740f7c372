"""How are days and moments written, read from people, and reckoned with? ISO-8601, always UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from picdeed.core.errors import UsageError


def stamp(when: datetime) -> str:
    """A moment as the registry writes it: UTC with microseconds, so that text sorts by time."""
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    # strftime leaves leading zeros of a year out on some systems: the text must sort.
    return f"{when.year:04}-{when:%m-%dT%H:%M:%S.%f}Z"


def moment(text: str, *, end_of_day: bool = False) -> str:
    """What a person wrote as a day or a moment; a day without a zone is a day in UTC.

    `end_of_day`: a bare day means its last instant, as in "until 31 December". Raises UsageError.
    """
    said = text.strip()
    try:
        when = datetime.fromisoformat(said)
        if end_of_day and len(said) <= len("2026-12-31"):
            when += timedelta(days=1, microseconds=-1)
        return stamp(when)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:60]!r} is no date; nothing was changed.", hint="Write it as 2026-11-25."
        ) from None


def later(than: str, by: timedelta) -> str:
    """A moment `by` after another one."""
    return stamp(datetime.fromisoformat(than) + by)
