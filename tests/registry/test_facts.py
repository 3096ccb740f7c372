"""Which value of a fact holds on which day?"""

from __future__ import annotations

import pytest

from picdeed.registry import facts


def fact(value: str, since: str, recorded: str, name: str = "revenue") -> facts.LicenseeFact:
    return facts.LicenseeFact(
        id=facts.fact_id(name, value, since, recorded),
        name=name,
        value=value,
        since=since,
        recorded_by="A. Clerk",
        recorded_at=recorded,
    )


ROWS = [
    ("1", "2026-01-01", "2026-01-05"),
    ("2", "2026-01-01", "2026-02-05"),  # corrects the first
    ("3", "2026-06-01", "2026-02-06"),  # said ahead
]


@pytest.mark.parametrize(
    ("at", "known"),
    [
        ("2026-01-04", None),  # true already, but nobody had said so
        ("2026-01-05", "1"),
        ("2026-02-05", "2"),
        ("2026-05-31", "2"),
        ("2026-06-01", "3"),
    ],
)
def test_the_latest_day_counts_and_of_one_day_the_last_word(registry, save, at, known):
    save(*(fact(*row) for row in ROWS))
    with registry.read() as session:
        assert facts.known_on(session, at).get("revenue") == known


def test_who_looks_back_may_use_what_is_known_now(registry, save):
    save(*(fact(*row) for row in ROWS))
    with registry.read() as session:
        assert facts.known_on(session, "2026-01-04", recorded_until="2027") == {"revenue": "2"}
        assert facts.last_recorded(session, "revenue", "2026-01-01").value == "2"
        assert facts.last_recorded(session, "revenue", "2026-01-02") is None


def test_the_next_change_is_the_next_day_on_which_one_begins(registry, save):
    save(*(fact(*row) for row in ROWS), fact("x", "2026-03-01", "2026-01-01", "other"))
    with registry.read() as session:
        assert facts.next_change(session, "2026-01-01") == "2026-03-01"
        assert facts.next_change(session, "2026-06-01") is None
        assert [row.value for row in facts.all_facts(session)] == ["x", "3", "2", "1"]
