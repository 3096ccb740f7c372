"""What stands in a bundle, who signed it, and may it be trained on? Asked without a registry.

manifest.json      signed: what it is about, and the hash of everything else (Manifest)
plan.json          the run's plan, its paths inside the bundle
decision.json      the verdict under which it may be trained, and until when
NOTICES.txt        who is to be named
pictures/SHA-256   the bytes of each picture

The base's weights are not in it. The signature says that nothing changed since the key's holder
signed; whose key it is, only a fingerprint that came another way can tell.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from picdeed.core.errors import Denied
from picdeed.core.ids import sha256, split_id
from picdeed.core.limits import DEFAULT
from picdeed.diffusion.plan import NOTICES, RunPlan, Trainee
from picdeed.flow.decided import Gated, require_open
from picdeed.flow.sealed import Sealed, altered, unsealed
from picdeed.registry import snapshots
from picdeed.registry.bases import base_id
from picdeed.registry.session import utc_now
from picdeed.registry.signed import fingerprint, verify_document
from picdeed.rights.verdict import Use

SCHEMA = "picdeed.bundle/1"
SUFFIX = ".picdeed"
MANIFEST, PLAN, DECISION = "manifest.json", "plan.json", "decision.json"
_NAMES = re.compile(rf"manifest\.json|plan\.json|decision\.json|{NOTICES}|pictures/[0-9a-f]{{64}}")
_HEX = r"^[0-9a-f]{64}$"
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Signer(BaseModel):
    """How the registry that signed calls itself; its own word."""

    model_config = _STRICT

    subject: str = Field(max_length=200)
    development: bool


class Manifest(BaseModel):
    """What a bundle is about. `files` are SHA-256 by name, `licenses` each picture's frozen one.

    `plan_sha256` is RunPlan.digest(), which ties checkpoints to the plan. Hex is lower case.
    """

    model_config = _STRICT

    schema_: str = Field(SCHEMA, alias="schema", pattern=r"^picdeed\.bundle/1$")
    run: str = Field(pattern=r"^run_[0-9a-f]{64}$")
    snapshot: str = Field(pattern=r"^snp_[0-9a-f]{64}$")
    snapshot_root: str = Field(pattern=_HEX)
    decision: str = Field(pattern=r"^dec_[0-9a-f]{64}$")
    base: str = Field(min_length=1, max_length=200)
    base_sha256: str = Field(pattern=_HEX)
    plan_sha256: str = Field(pattern=_HEX)
    valid_until: str
    licenses: Mapping[str, str]
    files: Mapping[str, str]
    signer: Signer
    public_key: str = Field(pattern=_HEX)
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Who signed: a key, by the digits that people compare, and how its holder calls itself."""

    fingerprint: str
    subject: str
    development: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every byte fits its signature. `id` is the SHA-256 of its manifest."""

    id: str
    manifest: Manifest
    plan: RunPlan
    decision: Gated
    sealed: Sealed

    @property
    def signed_by(self) -> SignedBy:
        """Whose key the signature is of."""
        return signed_by(self.manifest)


def signed_by(manifest: Manifest) -> SignedBy:
    """Whose key a manifest names."""
    said = manifest.signer
    return SignedBy(fingerprint(manifest.public_key), said.subject, said.development)


def ends(gated: Gated) -> str:
    """Until when a decision opens anything: its own end, or that of the approval it needs."""
    until = gated.valid_until
    return min(until, gated.approved["until"]) if gated.approved else until


def inside(trainee: Trainee) -> str:
    """Where a picture lies in a bundle, and in the folder that a bundle is unpacked into."""
    return f"pictures/{split_id(trainee.picture)[1]}"


def portable(plan: RunPlan, base: str) -> RunPlan:
    """The plan with no path of this machine: pictures as they lie in a bundle, a base by name."""
    return placed(plan, base, "")


def placed(plan: RunPlan, base: str, folder: str) -> RunPlan:
    """The plan with its pictures under `folder` ("" or ending in a slash), and nothing cached."""
    sides = {
        side: tuple(
            one.model_copy(update={"path": folder + inside(one)}) for one in getattr(plan, side)
        )
        for side in ("members", "held_out")
    }
    return plan.model_copy(update={**sides, "base": base, "cache": None})


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """A bundle, once everything in it was read and fits.

    Raises IntegrityError naming what does not, UsageError on a file that is no bundle.
    """
    with unsealed(path, _NAMES, "bundle") as sealed:
        data = sealed.read(MANIFEST, DEFAULT.metadata_bytes)
        manifest = read_manifest(path, data)
        _require_files(sealed, manifest)
        plan = read_bundled_plan(path, sealed.read(PLAN, DEFAULT.metadata_bytes), manifest)
        decision = _decision(path, sealed.read(DECISION, DEFAULT.metadata_bytes), manifest)
        _require_pictures(path, plan, manifest)
        yield Bundle(sha256(data), manifest, plan, decision, sealed)


def read_manifest(path: Path, data: bytes) -> Manifest:
    """A manifest whose signature fits the key that it names; IntegrityError otherwise.

    `path` is the file that it stands in.
    """
    try:
        document: Any = json.loads(data)
        manifest = Manifest.model_validate(document)
    except (ValueError, RecursionError) as error:
        raise altered(path, f"{MANIFEST} is none of a bundle ({why_invalid(error)})") from error
    if not verify_document(document, manifest.public_key):
        raise altered(path, "its signature does not fit")
    return manifest


def read_bundled_plan(path: Path, data: bytes, manifest: Manifest) -> RunPlan:
    """The plan beside a manifest, once it is the one that was signed; IntegrityError otherwise."""
    _require_hash(path, PLAN, sha256(data), manifest)
    try:
        plan = RunPlan.model_validate_json(data)
    except (ValidationError, RecursionError) as error:
        hint = "Both machines need the same version of picdeed."
        raise altered(path, f"{PLAN} is no run plan ({why_invalid(error)})", hint) from error
    told = (plan.run, plan.snapshot, plan.snapshot_root, plan.decision, plan.base_sha256)
    said = (
        manifest.run,
        manifest.snapshot,
        manifest.snapshot_root,
        manifest.decision,
        manifest.base_sha256,
    )
    if told != said or plan.digest() != manifest.plan_sha256:
        raise altered(path, f"{PLAN} is about something else than {MANIFEST}")
    return plan


def require_live(bundle: Bundle) -> None:
    """Raise Denied or NeedsReview unless its decision still opens training, by this clock."""
    now, gated = utc_now(), bundle.decision
    if gated.approved and gated.approved["until"] <= now:
        gated = replace(gated, approved=None)
    require_open(gated)
    if gated.valid_until <= now:
        raise Denied(
            f"Decision {gated.decision[:12]} expired on {gated.valid_until}; nothing was trained.",
            hint="picdeed bundle, where the registry is, makes one under a decision of today.",
            decision=gated.decision,
        )
    if Use.TRAIN not in gated.uses:
        raise Denied(
            f"Decision {gated.decision[:12]} is about {', '.join(gated.uses)} and not about "
            "training; nothing was trained.",
            decision=gated.decision,
        )


def _require_files(sealed: Sealed, manifest: Manifest) -> None:
    wanted, found = manifest.files.keys(), sealed.sizes.keys() - {MANIFEST}
    if missing := sorted(wanted - found):
        raise altered(sealed.path, f"{missing[0]} is missing")
    if more := sorted(found - wanted):
        raise altered(sealed.path, f"it holds {more[0]}, which {MANIFEST} does not name")
    for name in sorted(found):
        if name.startswith("pictures/") and sealed.sizes[name] > DEFAULT.picture_bytes:
            raise altered(sealed.path, f"{name} is longer than {DEFAULT.picture_bytes} bytes")
        _require_hash(sealed.path, name, sealed.digest(name), manifest)


def _require_hash(path: Path, name: str, digest: str, manifest: Manifest) -> None:
    if manifest.files.get(name) != digest:
        raise altered(path, f"{name} is not the one that was signed")


def _require_pictures(path: Path, plan: RunPlan, manifest: Manifest) -> None:
    """The plan's pictures are those of the bundle, and with their captions the snapshot's."""
    everyone = (*plan.members, *plan.held_out)
    named = sorted(one.picture for one in everyone)
    if named != sorted(manifest.licenses) or [one.path for one in everyone] != [
        inside(one) for one in everyone
    ]:
        raise altered(path, f"{PLAN} names other pictures than {MANIFEST}")
    if any(manifest.files.get(inside(one)) != split_id(one.picture)[1] for one in everyone):
        raise altered(path, "a picture is not the one that its id names")
    if len(manifest.files) != len(named) + 2 + (NOTICES in manifest.files):
        raise altered(path, f"it holds a picture that {PLAN} does not name")
    if manifest.files.get(NOTICES) != plan.notices_sha256:
        raise altered(path, f"{NOTICES} is not the one that {PLAN} fixes")
    leaves = [
        snapshots.leaf(split_id(one.picture)[1], one.caption, manifest.licenses[one.picture])
        for one in everyone
    ]
    root = snapshots.root_of(leaves)
    if (root, snapshots.snapshot_id(root)) != (plan.snapshot_root, plan.snapshot):
        raise altered(path, "its pictures, captions and licences do not give the snapshot's root")


def _decision(path: Path, data: bytes, manifest: Manifest) -> Gated:
    try:
        gated = TypeAdapter(Gated).validate_json(data)
        until = ends(gated)
    except (ValidationError, RecursionError, KeyError) as error:
        raise altered(path, f"{DECISION} is no decision ({why_invalid(error)})") from error
    told = (gated.decision, gated.snapshot, gated.base, until)
    base = base_id(manifest.base_sha256)
    if told != (manifest.decision, manifest.snapshot, base, manifest.valid_until):
        raise altered(path, f"{DECISION} is about something else than {MANIFEST}")
    return gated


def why_invalid(error: Exception) -> str:
    """What is wrong with foreign JSON, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:160]
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
