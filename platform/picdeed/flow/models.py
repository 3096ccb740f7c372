"""Which base does a person bring along, by path or from the hub? Checked, then recorded.

Weights are not copied: where they lie is recorded, and every use holds them against their hash.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError, MissingPart, UsageError
from picdeed.core.events import Event
from picdeed.core.ids import looks_like_id
from picdeed.flow import basefacts
from picdeed.flow.basefacts import Person, Told
from picdeed.flow.basefiles import OWN_NAMES, RECORDED, deed_of, is_own, recorded_of
from picdeed.flow.baseviews import BaseView, view
from picdeed.registry import bases, ledger, subjects
from picdeed.registry.bases import Base
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.weights import Fact

if TYPE_CHECKING:
    from picdeed.diffusion.models import BaseFacts

FOLDER = "models"
"""In the registry's folder: what was downloaded from the hub."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_NEEDED = ("torch", "diffusers", "transformers", "safetensors")


@dataclass(frozen=True, slots=True)
class Added:
    """The base, and what this call changed: "added", "moved", "told" or nothing.

    `why_open` says why no licence is on record; None where one is.
    """

    model: BaseView
    changed: tuple[str, ...]
    why_open: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A checked folder with all that is said about it."""

    folder: Path
    name: str | None
    facts: BaseFacts
    told: Told
    word: Fact | None
    answered: bool
    origin: Mapping[str, str] | None


def add_model(
    registry: Registry,
    catalogue: Catalogue,
    folder: Path,
    *,
    name: str | None = None,
    person: Person | None = None,
    origin: Mapping[str, str] | None = None,
    called: str | None = None,
) -> Added:
    """Check a base's folder and record its hash, licence facts and deed; nothing is copied.

    The same again changes nothing; the same weights in another folder are recorded there. Raises
    MissingPart without the `train` extra, and UsageError or IntegrityError naming the file and
    the reason; nothing is recorded then. `origin` says from which hub it was downloaded, or which
    file it was converted from, `called` what it is named where nobody says and it is new.
    """
    require_parts()
    if name is not None:
        _require_name(name)
    place = folder.expanduser().resolve()
    with recording_nothing():
        found = _checked(place, catalogue, name, person, origin)
    usual = called or (origin or {}).get("hub", "").rpartition("/")[2]
    with registry.write() as session:
        row = subjects.find(session, Base, bases.base_id(found.facts.sha256))
        if row is None:
            row = _add(registry, session, found, usual)
            changed: tuple[str, ...] = ("added",)
        else:
            changed = _again(registry, session, found, row)
        open_ = None
        if row.license == NOASSERTION:
            open_ = basefacts.why_open(found.told.facts)
        return Added(view(registry, session, catalogue, row), changed, open_)


def fetch_model(
    registry: Registry,
    catalogue: Catalogue,
    repository: str,
    *,
    revision: str | None = None,
    name: str | None = None,
    person: Person | None = None,
) -> Added:
    """Download a base from the hub into the registry's folder, then add it.

    Raises what `add_model` raises, and SourceError when the hub cannot be reached or refuses.
    """
    require_parts()
    if name is not None:
        _require_name(name)
    from picdeed.sources import hub

    found = hub.download(repository, revision, registry.root / FOLDER)
    return add_model(
        registry,
        catalogue,
        found.folder,
        name=name,
        person=person,
        origin={"hub": repository, "revision": found.commit},
    )


def require_parts() -> None:
    """Raise MissingPart where what reads a base is not installed."""
    missing = next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)
    if missing is not None:
        raise MissingPart(
            f"Checking a base needs {missing}, which is not installed; nothing was recorded.",
            hint="pip install 'picdeed[train]'",
        )


def _require_name(name: str) -> None:
    if name in OWN_NAMES:
        raise UsageError(
            f"{name!r} is what picdeed calls a base of its own; nothing was recorded.",
            hint="Choose another one: --name NAME.",
        )
    if not _NAME.fullmatch(name) or looks_like_id(name):
        raise UsageError(
            f"{name[:100]!r} cannot be a base's name; nothing was recorded.",
            hint="Letters, digits and . _ + - up to 100, and nothing that looks like an id: "
            "--name NAME.",
        )


@contextmanager
def recording_nothing() -> Iterator[None]:
    """What is wrong with a folder, with the words that nothing came of it."""
    done = "Nothing was recorded."
    try:
        yield
    except (UsageError, IntegrityError) as error:
        if done in error.message:
            raise
        raise type(error)(f"{error.message} {done}", hint=error.hint) from error


def _checked(
    folder: Path,
    catalogue: Catalogue,
    name: str | None,
    person: Person | None,
    origin: Mapping[str, str] | None,
) -> _Found:
    from picdeed.diffusion.models import check_base

    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{str(folder)!r} is no UTF-8, so it cannot be kept.") from error
    facts = check_base(folder)
    told = basefacts.told_by(folder, catalogue, (origin or {}).get("hub"))
    if told.deed is not None and told.deed.sha256 != facts.sha256:
        raise IntegrityError(
            f"{folder / 'deed.json'} is about other weights: it names {told.deed.sha256[:64]!r}, "
            f"these hash to {facts.sha256}.",
            hint="Put its own deed beside it, or take this one away: then it is added without one.",
        )
    word = None if person is None else basefacts.said_by(person, catalogue)
    answered = person is not None and person.answers
    return _Found(folder, name, facts, told, word, answered, origin)


def _add(registry: Registry, session: Session, found: _Found, usual: str) -> Base:
    name = found.name or usual or found.facts.name
    _require_name(name)
    taken = bases.find(session, name)
    if taken is not None:
        raise UsageError(
            f"{name} is the name of {taken.id[:12]}, which has other weights; nothing was "
            "recorded.",
            hint="Choose another one: --name NAME.",
        )
    facts = _all_facts(found)
    row = Base(
        id=bases.base_id(found.facts.sha256),
        name=name,
        sha256=found.facts.sha256,
        license=basefacts.licensed(found.told.facts, found.word, answered=found.answered),
        deed=_kept(found, found.origin, facts, basefacts.keep(registry.blobs, found.told)),
        path=_place(registry, found.folder),
        added_at=utc_now(),
    )
    payload = {"base": row.id, "name": row.name, "license": row.license, "path": row.path}
    ledger.write(session, Event.MODELS_ADDED, payload, [row])
    return row


def _again(registry: Registry, session: Session, found: _Found, row: Base) -> tuple[str, ...]:
    """The same weights once more: they may lie elsewhere now, and more may be said about them."""
    if found.name is not None and found.name != row.name:
        raise UsageError(
            f"These are the weights of {row.name} ({row.id[:12]}); nothing was recorded.",
            hint=f"picdeed models show {row.name}",
        )
    if is_own(row):
        if found.word is not None:
            raise UsageError(
                f"These are the weights of {row.name}, which comes with picdeed under "
                f"{row.license}; nothing was recorded.",
                hint=f"picdeed models show {row.name}",
            )
        return ()
    changed = []
    if _tell(registry, found, row):
        changed.append("told")
        payload = {"base": row.id, "license": row.license}
        ledger.write(session, Event.MODELS_TOLD, payload, [row])
    place = _place(registry, found.folder)
    if place != row.path:
        row.path = place
        changed.append("moved")
        ledger.write(session, Event.MODELS_MOVED, {"base": row.id, "path": place}, [row])
    return tuple(changed)


def _tell(registry: Registry, found: _Found, row: Base) -> bool:
    """Put what is newly said into the row; a licence on record yields to a named person alone."""
    recorded = recorded_of(row)
    before = [dict(fact) for fact in recorded.get("license_facts", ())]
    new = [fact for fact in _all_facts(found) if fact not in before]
    had, has = deed_of(row), found.told.deed
    if had is not None and has is not None and had != has.content:
        raise UsageError(
            f"{found.folder / 'deed.json'} is another deed than the one on record for {row.name}. "
            "Nothing was recorded.",
            hint=f"picdeed models show {row.name} --json prints the one on record.",
        )
    if not new and (has is None or had is not None):
        return False
    if new:
        license_id = basefacts.licensed(found.told.facts, found.word, answered=found.answered)
        if license_id != row.license and not (found.word and found.answered):
            raise UsageError(
                f"{row.name} is on record under {row.license}, and what is said now comes to "
                f"{license_id}. Nothing was recorded.",
                hint="If it is so, say it in your name: --license LICENSE --by NAME "
                "--because TEXT.",
            )
        row.license = license_id
    notice = basefacts.keep(registry.blobs, found.told) or recorded.get("notice_sha256")
    kept = _kept(found, found.origin or recorded.get("origin"), [*before, *new], notice)
    if has is None and had is not None:
        kept = {**had, **kept}
    row.deed = kept
    return True


def _all_facts(found: _Found) -> list[dict[str, Any]]:
    facts = (*found.told.facts, *(() if found.word is None else (found.word,)))
    return [fact.as_json() for fact in facts]


def _kept(
    found: _Found, origin: Mapping[str, str] | None, facts: list[dict[str, Any]], notice: str | None
) -> dict[str, Any]:
    """The row's `deed`: the deed itself, and what was recorded when the base was added."""
    deed = {} if found.told.deed is None else found.told.deed.content
    recorded = {
        "license_facts": facts,
        "origin": None if origin is None else dict(origin),
        "notice_sha256": notice,
    }
    return {**deed, RECORDED: recorded}


def _place(registry: Registry, folder: Path) -> str:
    """Absolute; what lies in the registry's own folder moves with it."""
    root = registry.root.resolve()
    return os.path.relpath(folder, root) if folder.is_relative_to(root) else str(folder)
