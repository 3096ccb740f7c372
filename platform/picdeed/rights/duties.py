"""What must be done in return? Duties of several licences are united, never weighed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.rights.verdict import Subject, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from picdeed.rights.terms import Rule, Terms


@dataclass(frozen=True, slots=True, order=True)
class Duty:
    """One thing to do. `kind` is a key of the licence file's duties, or "clause" when the file
    asks for duties without spelling them out. `pictures` counts those it is owed for.
    """

    subject: Subject
    license: str
    kind: str
    text: str
    pictures: int

    def as_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return {
            "subject": self.subject.value,
            "license": self.license,
            "kind": self.kind,
            "text": self.text,
            "pictures": self.pictures,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Duty:
        """What `as_json` gave. Raises KeyError or ValueError on anything else."""
        return cls(
            Subject(row["subject"]),
            str(row["license"]),
            str(row["kind"]),
            str(row["text"]),
            int(row["pictures"]),
        )


def duties_of(
    terms: Terms, rule: Rule, effect: Verdict, subject: Subject, pictures: int
) -> tuple[Duty, ...]:
    """What one rule asks for. A REVIEW's duties count too: they are owed once a person agrees."""
    if effect not in (Verdict.DUTIES, Verdict.REVIEW):
        return ()
    if not rule.duties:
        return (Duty(subject, terms.id, "clause", f"See {rule.clause}", pictures),)
    return tuple(
        Duty(subject, terms.id, kind, terms.duties[kind], pictures) for kind in rule.duties
    )


def unite(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    """Each duty once, sorted, the pictures that owe it added up."""
    owed: Counter[tuple[Subject, str, str, str]] = Counter()
    for duty in duties:
        owed[duty.subject, duty.license, duty.kind, duty.text] += duty.pictures
    return tuple(sorted(Duty(*what, pictures) for what, pictures in owed.items()))
