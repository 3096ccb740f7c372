"""What must be passed on along with a snapshot, an adapter or the pictures that it drew?

Shared by the stages that hand something out. The text is a function of the registry's rows: the
same facts give the same bytes, and the bytes are kept as a blob.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import sha256, sha256_file
from picdeed.core.resources import bundled
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.recipe import Recipe, recipe_from
from picdeed.diffusion.runfolder import read_json
from picdeed.flow.basefiles import folder_of, is_own, recorded_of
from picdeed.flow.parting import parted
from picdeed.registry import (
    claims,
    conclusions,
    grants,
    pictures,
    runs,
    similar,
    snapshots,
    subjects,
)
from picdeed.registry.bases import Base
from picdeed.registry.blobs import write_atomically
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import PictureState
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotMember
from picdeed.registry.tables import chunks
from picdeed.rights import notices as wording
from picdeed.rights.catalogue import Catalogue, load_catalogue, text_digest
from picdeed.rights.claims import ClaimKind
from picdeed.rights.notices import BaseNotice, Contract, Notices, Part, Work

if TYPE_CHECKING:
    from picdeed.registry.claims import PictureClaim
    from picdeed.rights.terms import Terms

KINDS = frozenset({"snp", "run", "adp", "out"})
LONGEST_NOTICE = 1 << 20
_BATCH = 2_000
_FIELDS = {
    ClaimKind.TITLE: "titles",
    ClaimKind.AUTHOR: "authors",
    ClaimKind.HOLDER: "holders",
    ClaimKind.LICENSOR: "holders",
    ClaimKind.RIGHTS_STATEMENT: "copyrights",
    ClaimKind.SOURCE_URL: "sources",
    ClaimKind.CAPTION_AUTHOR: "caption_authors",
}
# Which runs and bases a NOTICES.txt of ours speaks of: no recorded value begins a line.
_OWN_SUBJECT = re.compile(r"^(?:Run|Base): ((?:run|bas)_[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Noticed:
    """The text and the blob that keeps it, and what it was written from."""

    text: bytes
    sha256: str
    said: Notices
    catalogue: Catalogue
    texts: Mapping[str, str]

    @property
    def pictures(self) -> int:
        """How many pictures are named."""
        return self.said.pictures

    @property
    def missing(self) -> Mapping[str, int]:
        """How many pictures lack a fact, by the fact."""
        return wording.missing(self.said)

    def json(self) -> bytes:
        """The same as canonical JSON."""
        return wording.as_json(self.said, self.catalogue, self.texts)


def notices(
    registry: Registry, catalogue: Catalogue, subject: str, *, at: str | None = None
) -> Noticed:
    """The notices of a snapshot, run, adapter or output (an id or a prefix of one).

    Grants count that are in force at `at` (now). Raises UnknownSubject.
    """
    with registry.read() as session:
        found = _runs_and_bases(session, subjects.resolve(session, subject, KINDS))
    return notices_of(registry, catalogue, found, at=at)


def notices_of(
    registry: Registry,
    catalogue: Catalogue,
    owed: Collection[str],
    *,
    at: str | None = None,
    held_out: Collection[str] | None = None,
) -> Noticed:
    """The notices of several snapshots, runs and bases (whole ids) in one text.

    `held_out` is what the one run in `owed` will hold out, where its plan is yet to be written.
    """
    now = at or utc_now()
    with registry.read() as session:
        models = {name for name in owed if subjects.kind_of(name) == "bas"}
        parts = []
        for name in sorted(set(owed) - models):
            run = subjects.find(session, Run, name)
            if run is not None:
                models.add(run.base_id)
            frozen = run.snapshot_id if run else name
            parts.append(_part(registry, session, frozen, run, now, held_out=held_out))
        rows = [subjects.require(session, Base, name) for name in sorted(models)]
    found = Notices(tuple(parts), tuple(_base(registry, row) for row in rows))
    due = wording.due_terms(found, catalogue)
    texts = {**kept_texts(registry, rows, due), **shipped_texts(due)}
    text = wording.as_text(found, catalogue, texts).encode()
    return Noticed(text, registry.blobs.put(text), found, catalogue, texts)


def shipped_texts(wanted: Mapping[str, Terms]) -> dict[str, str]:
    """The texts of these licences that picdeed ships. IntegrityError: one is not what was read."""
    found = {}
    for name, terms in wanted.items():
        if terms.text_file is None:
            continue
        text = terms.text_file.read_bytes().decode("utf-8", "backslashreplace")
        if text_digest(text) != terms.text_sha256:
            raise IntegrityError(
                f"{terms.text_file} is not the text of {name} that the rules were read from.",
                hint="Install picdeed again; nothing was written.",
            )
        found[name] = text
    return found


def kept_texts(
    registry: Registry, rows: Iterable[Base], wanted: Mapping[str, Terms]
) -> dict[str, str]:
    """Licence texts that came with a base and are, word for word, those that must go along."""
    found = {}
    for row in rows:
        for fact in recorded_of(row).get("license_facts", ()):
            terms = wanted.get(fact["license"] or "")
            if terms is None or fact["sha256"] is None or not terms.text_sha256:
                continue
            text = registry.blobs.read(fact["sha256"]).decode("utf-8", "backslashreplace")
            if text_digest(text) == terms.text_sha256:
                found[terms.id] = text
    return found


def fix_for_run(
    registry: Registry, run: str, folder: Path, held_out: Collection[str]
) -> str | None:
    """NOTICES.txt in a run's folder, fixed when the run first starts; gives its SHA-256.

    The hash stands in the adapter's header, so a run that goes on keeps the text of its start,
    whatever was claimed since. None for a run that began before there were notices.
    """
    earlier = read_json(folder / "plan.json")
    path = folder / NOTICES
    digest: str | None
    if earlier is None:
        rules = load_catalogue(bundled("configs"))
        digest = notices_of(registry, rules, [run], held_out=held_out).sha256
    else:
        digest = earlier.get("notices_sha256")
    if digest is not None and not (path.is_file() and sha256_file(path) == digest):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, registry.blobs.read(digest))
    return digest


def lay_beside(registry: Registry, outputs: Sequence[str], folder: Path) -> Path | None:
    """NOTICES.txt beside released pictures, for these and for those it spoke of before.

    A file of that name that is not ours stays: ours gets a name of its own. None for nobody.
    """
    with registry.read() as session:
        owed = {one for name in outputs for one in _runs_and_bases(session, name)}
    if not owed:
        return None
    path = folder / NOTICES
    before = path.read_bytes() if path.is_file() else b""
    ours = before and registry.blobs.exists(sha256(before))
    if ours:
        owed |= set(_OWN_SUBJECT.findall(before.decode()))
    found = notices_of(registry, load_catalogue(bundled("configs")), owed)
    if path.exists() and not ours:
        path = folder / f"{path.stem}-{found.sha256[:12]}{path.suffix}"
    if not path.exists() or path.read_bytes() != found.text:
        write_atomically(path, found.text)
    return path


def _runs_and_bases(session: Session, subject: str) -> frozenset[str]:
    """What a thing's notices are about: its run, or its snapshot or base where no run made it."""
    if subject.startswith("out_"):
        row = subjects.require(session, Output, subject)
        if row.run_id is None and row.adapter_id is None:
            return frozenset({row.base_id})
        subject = row.run_id or row.adapter_id or ""
    if subject.startswith("adp_"):
        subject = runs.adapter_of(session, subject).run_id
    return frozenset({subject})


def _part(
    registry: Registry,
    session: Session,
    snapshot: str,
    run: Run | None,
    now: str,
    *,
    held_out: Collection[str] | None,
) -> Part:
    frozen = subjects.require(session, Snapshot, snapshot)
    members = snapshots.members(session, frozen.id)
    changes = _changes(registry, session, run, members, held_out)
    works: list[Work] = []
    for part in chunks(members, _BATCH):
        works += _works(session, part, changes, now)
    return Part(frozen.id, frozen.root, tuple(works), run.id if run else None)


def _works(
    session: Session, members: Sequence[SnapshotMember], changes: Mapping[str, str], now: str
) -> Iterator[Work]:
    """Pictures with what is said of them and of their copies, whose licence binds them too."""
    ids = [member.picture_id for member in members]
    rows = pictures.by_ids(session, ids)
    concluded = conclusions.conclusions(session, ids)
    copies = similar.same_picture(session, ids)
    said = claims.in_force(session, {*ids, *(one for group in copies.values() for one in group)})
    covering = grants.covering(session, ids)
    for member in members:
        name = member.picture_id
        answer = concluded.get(name)
        erased = name not in rows or rows[name].state == PictureState.ERASED
        group = sorted({name, *copies.get(name, ())})
        yield Work(
            id=name,
            sha256=name.removeprefix("img_"),
            license=member.license if erased or answer is None else answer.license,
            frozen_license=member.license,
            changed=changes[name],
            erased=erased,
            **({} if erased else _fields(claim for one in group for claim in said.get(one, ()))),
            contracts=tuple(
                Contract(grant.id, grant.licensor)
                for grant, _ in covering.get(name, ())
                if not erased and _holds(grant, now)
            ),
        )


def _holds(grant: grants.Grant, now: str) -> bool:
    ends = grant.end(now)
    return grant.starts <= now and (ends is None or now < ends)


def _fields(rows: Iterable[PictureClaim]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {field: [] for field in _FIELDS.values()}
    for row in rows:
        field = _FIELDS.get(ClaimKind(row.kind))
        if field is not None:
            found[field].append(row.raw)
    return {field: wording.values(texts) for field, texts in found.items()}


def _changes(
    registry: Registry,
    session: Session,
    run: Run | None,
    members: Sequence[SnapshotMember],
    held_out: Collection[str] | None,
) -> dict[str, str]:
    """What was done with each picture, no further than it is true."""
    if run is None:
        return {member.picture_id: "none: frozen unchanged" for member in members}
    recipe = recipe_from(run.recipe)
    base = subjects.require(session, Base, run.base_id)
    names = [member.picture_id for member in members]
    if held_out is None:
        held_out = parted(registry, session, run, names).held_out
    side = side_of(folder_of(registry, base))
    learned = (
        f"{_fitted(side, recipe, recipe.crops)}, learned from in a run of {recipe.steps} steps; "
        "the adapter's file holds weights and no picture"
    )
    measured = f"{_fitted(side, recipe, 1)}, held out: measured on, never learned from"
    return {name: measured if name in held_out else learned for name in names}


def _fitted(side: int | None, recipe: Recipe, crops: int) -> str:
    box = f"{side} px square" if side else "the base's size square"
    if recipe.buckets:
        box = f"a rectangle near its own shape and no larger in area than {box},"
    several = f" in up to {crops} places" if crops > 1 else ""
    mirrored = ", mirrored too" if recipe.flip else ""
    return f"resized and cropped to {box} on white{several}{mirrored}, encoded to latents"


def side_of(folder: Path) -> int | None:
    """The side in pixels of what a base sees; None when its folder does not say."""
    network = next((one for one in ("unet", "transformer") if (folder / one).is_dir()), "unet")
    try:
        told = json.loads((folder / network / "config.json").read_bytes())
        vae = json.loads((folder / "vae" / "config.json").read_bytes())
        if "sample_size" not in told:  # FLUX's transformer takes any size
            return int(vae["sample_size"])
        return int(told["sample_size"]) * int(2 ** (len(vae["block_out_channels"]) - 1))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _base(registry: Registry, row: Base) -> BaseNotice:
    """A base and its NOTICE: as kept when it was added, or in the folder of one of ours."""
    path = folder_of(registry, row) / "NOTICE"
    kept = recorded_of(row).get("notice_sha256")
    notice = None
    if kept is not None:
        notice = registry.blobs.read(kept).decode("utf-8", "backslashreplace")
    elif is_own(row) and row.path and path.is_file():
        if path.stat().st_size > LONGEST_NOTICE:
            raise UsageError(
                f"{path} is longer than {LONGEST_NOTICE >> 20} MiB; no notices were written.",
                hint="Cut it to what its licence asks to pass on.",
            )
        notice = path.read_bytes().decode("utf-8", "backslashreplace")
    return BaseNotice(row.id, row.name, row.sha256, row.license, notice)
