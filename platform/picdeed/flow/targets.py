"""Which pictures does a person mean who names a picture or a dataset? Shared by the stages."""

from __future__ import annotations

from picdeed.registry import datasets, subjects
from picdeed.registry.session import Session


def pictures_meant(session: Session, target: str) -> tuple[str, list[str]]:
    """The target's whole id and its pictures: itself, or a dataset's present members.

    Raises UnknownSubject.
    """
    whole = subjects.resolve(session, target, {"img", "dat"})
    if subjects.kind_of(whole) == "img":
        return whole, [whole]
    return whole, [member.picture_id for member in datasets.members(session, whole)]
