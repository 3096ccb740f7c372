"""What does a C2PA manifest store say about training and mining, and about where pixels come from?

Training and data mining assertion: CAWG 1.1 (`cawg.training-mining`), before that C2PA 1.x and
2.0 (`c2pa.training-mining`). Pure: the store comes in as the JSON that a C2PA reader gives.
Every manifest of the store counts, those of ingredients too: what an ingredient's author forbade
is still in the picture.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, clip
from picdeed.rights.signals.iptc import synthetic_claim
from picdeed.rights.signals.plus import mining_claim

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PARSER = "c2pa/1"
TRAINING_MINING = ("cawg.training-mining", "c2pa.training-mining")

_USES = {"allowed", "notallowed", "constrained"}
_INFERENCE = "ai_inference"
_MAX_DEPTH = 64
_MAX_VALUES = 200_000


def read_c2pa(
    store: Mapping[str, Any] | None,
    *,
    present: bool,
    problems: Sequence[str] = (),
    limits: Limits = DEFAULT,
) -> tuple[Claim, ...]:
    """All claims of a manifest store, sorted; never raises on any JSON.

    `problems` are the failures of its validation, those of a merely unknown signer left out:
    with any, the store is an UNREADABLE opt-out (REVIEW), and what it forbids counts all the
    same. A broken record gives no hint that anything is allowed. `constrained` is read as
    notAllowed, as CAWG 1.1 asks for; so is a word that the specification does not know.
    """
    if not present:
        return ()
    claims: set[Claim] = set()
    said = "; ".join(problems)
    if store is None or problems:
        claims.add(unreadable(said or "the manifest store could not be opened", limits=limits))
    try:
        found = list(_read(store or {}, limits))
    except _TangledError as tangle:
        found = [unreadable(str(tangle), limits=limits)]
    if problems:
        found = [claim for claim in found if claim.kind is not ClaimKind.OPT_IN]
    claims.update(found)
    return tuple(sorted(claims, key=lambda claim: (claim.kind, claim.raw, claim.note)))


def unreadable(why: str, raw: str = "", limits: Limits = DEFAULT) -> Claim:
    """Credentials seen that could hold an opt-out and could not be read or do not hold."""
    return Claim(
        ClaimSource.C2PA,
        ClaimKind.OPT_OUT,
        clip(raw, limits),
        None,
        ClaimStatus.UNREADABLE,
        PARSER,
        clip(why, limits),
    )


class _TangledError(Exception):
    """Why a report was not read to its end; never leaves this file."""


def _read(store: Mapping[str, Any], limits: Limits) -> Iterator[Claim]:
    manifests = store.get("manifests")
    if not isinstance(manifests, dict):
        if store:
            yield unreadable("a report without manifests", limits=limits)
        return
    for name, manifest in manifests.items():
        listed = manifest.get("assertions") if isinstance(manifest, dict) else None
        for assertion in listed if isinstance(listed, list) else ():
            if isinstance(assertion, dict):
                yield from _assertion(assertion, str(name), limits)
            else:
                yield unreadable("an assertion that is no object", _shown(assertion), limits)
        if listed is not None and not isinstance(listed, list):
            yield unreadable("assertions that are no list", _shown(listed), limits)


def _assertion(assertion: Mapping[str, Any], manifest: str, limits: Limits) -> Iterator[Claim]:
    label = str(assertion.get("label", ""))
    data = assertion.get("data")
    # A manifest may hold several of a kind: `LABEL__1`; `LABEL.v2` may come.
    if label.startswith(TRAINING_MINING):
        yield from _training_mining(label, data, manifest, limits)
    elif "mining" in label.lower():
        yield unreadable(f"an assertion {label[:80]!r} that nobody knows", _shown(data), limits)
    for key, value in _values(data):
        if key.endswith("DataMining"):
            texts = value if isinstance(value, list) else [value]
            for text in texts:
                yield mining_claim(_plain(text), ClaimSource.C2PA, PARSER, f"{label} {key}", limits)
        elif key.lower().endswith("digitalsourcetype"):
            claim = synthetic_claim(_plain(value), ClaimSource.C2PA, PARSER, label)
            if claim is not None:
                yield claim


def _training_mining(label: str, data: Any, manifest: str, limits: Limits) -> Iterator[Claim]:
    entries = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(entries, dict) or not entries:
        yield unreadable(f"{label} without entries", _shown(data), limits)
        return
    for key, entry in entries.items():
        use = entry.get("use") if isinstance(entry, dict) else entry
        word = use.strip().lower() if isinstance(use, str) else ""
        name = key.rpartition(".")[2].strip().lower()
        # What is constrained is said under `constraints_info` or `constraint_info`: raw holds it.
        raw = clip(_shown({"label": label, key: entry}), limits)
        parsed = f"{key}={use if isinstance(use, str) else '?'}"
        note = f"manifest {manifest}"
        kind = ClaimKind.OPT_OUT
        if word == "allowed":
            kind, note = ClaimKind.OPT_IN, f"a hint, no licence; {note}"
        elif word not in _USES:
            note = f"an unknown use is read as notAllowed; {note}"
        elif name == _INFERENCE:
            kind = ClaimKind.NO_INFERENCE
        yield Claim(
            ClaimSource.C2PA,
            kind,
            raw,
            clip(parsed, limits),
            ClaimStatus.PARSED,
            PARSER,
            clip(note, limits),
        )


def _values(data: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) in nested objects; raises where a report is a trap."""
    waiting: list[tuple[Any, int]] = [(data, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _MAX_DEPTH or seen > _MAX_VALUES:
            raise _TangledError(f"more than {_MAX_DEPTH} levels or {_MAX_VALUES} values")
        if isinstance(value, dict):
            for key, inner in value.items():
                yield str(key), inner
                waiting.append((inner, depth + 1))
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def _plain(value: Any) -> str:
    """The text of a value; JSON-LD may wrap it as {"@id": ...} or {"@value": ...}."""
    if isinstance(value, dict):
        for key in ("@id", "@value", "name"):
            if isinstance(value.get(key), str):
                return str(value[key])
    return value if isinstance(value, str) else _shown(value)


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return repr(type(value))
