"""Is the list of ledger events closed, and named by stage?"""

import inspect
import re

import pytest

from picdeed.core.events import Event, Progress, silent

STAGES = {
    "init", "ingest", "signals", "claims", "grants", "license", "dedup", "snapshot", "gate",
    "approve", "remove", "train", "generate", "credential", "revoke", "tombstones", "erase", "facts", "watch",
    "models",
}  # fmt: skip


def test_an_event_is_a_stage_and_a_past_participle():
    for event in Event:
        assert re.fullmatch(r"[a-z]+\.[a-z]+", event)
        assert event.partition(".")[0] in STAGES, event


def test_every_stage_that_changes_something_has_an_event():
    assert {event.partition(".")[0] for event in Event} == STAGES


def test_member_and_word_say_the_same():
    # A member that is renamed, but not its word, would write rows under a name nobody searches.
    for event in Event:
        assert event.name.lower().partition("_")[0] == event.partition(".")[0]


def test_a_word_outside_the_list_is_no_event():
    with pytest.raises(ValueError, match=r"ingest\.guessed"):
        Event("ingest.guessed")


def test_silent_progress_takes_what_every_progress_takes():
    assert silent("pictures", 1, 0) is None
    protocol = list(inspect.signature(Progress.__call__).parameters)[1:]
    assert list(inspect.signature(silent).parameters) == protocol
