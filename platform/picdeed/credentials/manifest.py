"""What does a credential say of a generated picture? Facts in, a C2PA 2.4 manifest out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import hash_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINEAGE = "org.picdeed.lineage"
_TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
# A manifest travels inside every picture; what does not fit stays in the registry, under a hash.
_ATTRIBUTION_BYTES = 1_500
_LICENSES = 12
_TEXT = 200


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """What is known of one generated picture. Hashes are 64 hex digits; `when` is ISO 8601 UTC.

    `pixel_sha256` hashes the pixels before signing. `licenses`: expression -> pictures in the
    snapshot. `attribution`: one line for each credit that a licence asks for.
    """

    title: str
    output_id: str
    pixel_sha256: str
    prompt_sha256: str
    seed: int
    base_name: str
    base_id: str
    base_sha256: str
    when: str
    version: str
    system: str = "picdeed"
    adapter_id: str | None = None
    adapter_sha256: str | None = None
    snapshot_id: str | None = None
    snapshot_root: str | None = None
    licenses: Mapping[str, int] = field(default_factory=dict)
    attribution: Sequence[str] = ()
    watermark: str | None = None


def output_manifest(facts: OutputFacts) -> dict[str, Any]:
    """The manifest definition of a generated picture, ready for `sign`.

    Base, adapter and snapshot are ingredients (`inputTo`) and stand in the lineage assertion,
    each with its hash. The prompt is named by its hash only. Every assertion counts as created
    by us, which the conformance rubric asks for (C2PA 2.4, section 10.3.2).
    """
    ingredients = _ingredients(facts)
    assertions = {
        "c2pa.actions.v2": _actions(facts, [each["label"] for each in ingredients]),
        "c2pa.ai-disclosure": {
            "modelType": "c2pa.types.model",
            "modelName": facts.base_name[:_TEXT],
            "modelIdentifier": f"urn:sha256:{facts.base_sha256}",
            "contentProfile": {"humanOversightLevel": "prompt_guided"},
        },
        "cawg.training-mining": {
            "entries": {
                "cawg.ai_generative_training": {"use": "notAllowed"},
                "cawg.data_mining": {"use": "notAllowed"},
            }
        },
        "cawg.metadata": {
            "@context": {"Iptc4xmpExt": _IPTC},
            "Iptc4xmpExt:AISystemUsed": facts.system,
            "Iptc4xmpExt:AISystemVersionUsed": facts.version,
        },
        LINEAGE: lineage(facts),
    }
    return {
        "claim_generator_info": [
            {"name": facts.system, "version": facts.version, "specVersion": "2.4.0"}
        ],
        "title": facts.title[:_TEXT],
        "ingredients": ingredients,
        "assertions": [
            {"label": label, "created": True, "data": data}
            | ({"kind": "Json"} if label == "cawg.metadata" else {})
            for label, data in assertions.items()
        ],
    }


def lineage(facts: OutputFacts) -> dict[str, Any]:
    """The data of the org.picdeed.lineage assertion; absent parts are absent keys."""
    parts: dict[str, Any] = {
        "output_id": facts.output_id,
        "pixel_sha256": facts.pixel_sha256,
        "base": {"name": facts.base_name[:_TEXT], "id": facts.base_id, "sha256": facts.base_sha256},
    }
    if facts.adapter_id:
        parts["adapter"] = {"id": facts.adapter_id, "sha256": facts.adapter_sha256 or ""}
    if facts.snapshot_id:
        parts["snapshot"] = {"id": facts.snapshot_id, "root": facts.snapshot_root or ""}
    if facts.licenses:
        parts["licenses"] = _licenses(facts.licenses)
    if facts.attribution:
        parts["attribution"] = _attribution(facts.attribution)
    return parts


def _actions(facts: OutputFacts, ingredients: list[str]) -> dict[str, Any]:
    created = {
        "action": "c2pa.created",
        "when": facts.when,
        "digitalSourceType": _TRAINED,
        "softwareAgent": {"name": facts.system, "version": facts.version},
        "parameters": {
            "ingredientIds": ingredients,
            "org.picdeed.seed": str(facts.seed),  # integers above 64 bits would become floats
            "org.picdeed.prompt_sha256": facts.prompt_sha256,
        },
    }
    marked = {
        "action": "c2pa.watermarked.unbound",
        "parameters": {"org.picdeed.watermark": facts.watermark},
    }
    return {
        "allActionsIncluded": True,
        "actions": [created, marked] if facts.watermark else [created],
    }


def _ingredients(facts: OutputFacts) -> list[dict[str, Any]]:
    found = [("base", facts.base_name, "model", facts.base_sha256)]
    if facts.adapter_id:
        found.append(("adapter", facts.adapter_id, "model", facts.adapter_sha256 or ""))
    if facts.snapshot_id:
        found.append(("snapshot", facts.snapshot_id, "dataset", facts.snapshot_root or ""))
    return [
        {
            "label": label,
            "title": title[:_TEXT],
            "format": "application/octet-stream",
            "relationship": "inputTo",
            "instance_id": f"urn:sha256:{digest}",
            "data_types": [{"type": f"c2pa.types.{kind}"}],
        }
        for label, title, kind, digest in found
    ]


def _licenses(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent licences by name, the others as one number."""
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    named = {expression[:_TEXT]: count for expression, count in ranked[:_LICENSES]}
    rest = sum(count for _, count in ranked[_LICENSES:])
    return named | ({"other licences": rest} if rest else {})


def _attribution(lines: Sequence[str]) -> dict[str, Any]:
    """As many whole lines as fit; `total` and the hash of all of them tell what is missing."""
    kept: list[str] = []
    room = _ATTRIBUTION_BYTES
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return {"lines": kept, "total": len(lines), "sha256": hash_json(list(lines))}
