from __future__ import annotations

import json

import pytest
from credentials.forging import facts, picture

from picdeed.core.ids import hash_json
from picdeed.credentials.manifest import LINEAGE, lineage, output_manifest
from picdeed.credentials.sign import sign


def assertion(manifest, label):
    return next(each["data"] for each in manifest["assertions"] if each["label"] == label)


def test_lineage_names_everything_with_its_hash():
    known = facts()
    assert lineage(known) == {
        "output_id": known.output_id,
        "pixel_sha256": known.pixel_sha256,
        "base": {"name": "sprig", "id": known.base_id, "sha256": known.base_sha256},
        "adapter": {"id": known.adapter_id, "sha256": known.adapter_sha256},
        "snapshot": {"id": known.snapshot_id, "root": known.snapshot_root},
        "licenses": {"CC0-1.0": 61, "CC-BY-4.0": 3},
        "attribution": {
            "lines": list(known.attribution),
            "total": 1,
            "sha256": hash_json(list(known.attribution)),
        },
    }


def test_what_is_absent_has_no_key():
    bare = facts(adapter_id=None, snapshot_id=None, licenses={}, attribution=())
    assert set(lineage(bare)) == {"output_id", "pixel_sha256", "base"}
    assert [each["label"] for each in output_manifest(bare)["ingredients"]] == ["base"]


def test_it_says_that_a_model_drew_the_picture():
    created = assertion(output_manifest(facts()), "c2pa.actions.v2")["actions"][0]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert created["parameters"]["ingredientIds"] == ["base", "adapter", "snapshot"]


def test_a_seed_beyond_64_bits_stays_exact():
    created = assertion(output_manifest(facts(1)), "c2pa.actions.v2")["actions"][0]
    assert created["parameters"]["org.picdeed.seed"] == str(2**70 + 1)


def test_a_watermark_is_an_action_of_its_own():
    plain = assertion(output_manifest(facts()), "c2pa.actions.v2")["actions"]
    marked = assertion(output_manifest(facts(watermark="ss-a/1")), "c2pa.actions.v2")["actions"]
    assert len(plain) == 1
    assert marked[1]["action"] == "c2pa.watermarked.unbound"


def test_ingredients_are_inputs_named_by_hash():
    for each in output_manifest(facts())["ingredients"]:
        assert each["relationship"] == "inputTo"
        assert each["instance_id"].startswith("urn:sha256:")
        assert len(each["instance_id"]) == len("urn:sha256:") + 64


def test_every_assertion_counts_as_created_and_training_on_it_is_not_allowed():
    manifest = output_manifest(facts())
    assert all(each["created"] is True for each in manifest["assertions"])
    entries = assertion(manifest, "cawg.training-mining")["entries"]
    assert {each["use"] for each in entries.values()} == {"notAllowed"}


def test_long_attributions_are_cut_at_a_line_and_say_so():
    lines = tuple(f"Picture {n} by Somebody {n}, CC-BY-4.0" for n in range(500))
    found = lineage(facts(attribution=lines))["attribution"]
    assert found["total"] == 500
    assert found["sha256"] == hash_json(list(lines))
    assert 0 < len(found["lines"]) < 500
    assert tuple(found["lines"]) == lines[: len(found["lines"])]


def test_rare_licences_become_one_number():
    counts = {f"LicenseRef-{n:02}": n for n in range(1, 21)}
    found = lineage(facts(licenses=counts))["licenses"]
    assert len(found) == 13
    assert sum(found.values()) == sum(counts.values())
    assert "LicenseRef-20" in found
    assert "LicenseRef-01" not in found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"watermark": "ss-a/1"},
        {"adapter_id": None, "adapter_sha256": None, "snapshot_id": None, "snapshot_root": None},
        {"attribution": tuple(f"Plate {n} by R. Moss, CC-BY-4.0" for n in range(300))},
        {"title": "ü\u202e\x00\n" * 200, "base_name": "b" * 5000},
    ],
)
def test_each_form_signs_cleanly_and_small(identity, changes):
    manifest = output_manifest(facts(**changes))
    plain = picture()
    signed = sign(plain, "image/png", manifest, identity)
    assert signed.verified.problems == ()
    assert len(signed.data) - len(plain) < 10_000


def test_the_prompt_itself_is_nowhere():
    text = json.dumps(output_manifest(facts(prompt_sha256="9a" * 32)))
    assert text.count("9a" * 32) == 1
    assert LINEAGE in text
