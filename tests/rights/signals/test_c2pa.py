"""Is everything that a manifest store forbids found, and is a broken store never taken for leave?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import ClaimKind, ClaimStatus
from picdeed.rights.signals.c2pa import read_c2pa


def store(*assertions, **more):
    manifest = {"assertions": [{"label": label, "data": data} for label, data in assertions]}
    return {"active_manifest": "a", "manifests": {"a": manifest, **more}}


def entries(key, use, **more):
    return {"entries": {key: {"use": use, **more}}}


def kinds(*assertions, problems=()):
    return [c.kind for c in read_c2pa(store(*assertions), present=True, problems=problems)]


@pytest.mark.parametrize(
    "label", ["cawg.training-mining", "c2pa.training-mining", "cawg.training-mining__2"]
)
@pytest.mark.parametrize("prefix", ["cawg.", "c2pa.", ""])
@pytest.mark.parametrize(
    "entry", ["data_mining", "ai_generative_training", "ai_training", "ai_inference"]
)
@pytest.mark.parametrize("use", ["notAllowed", "NotAllowed", "constrained"])
def test_what_forbids(label, prefix, entry, use):
    (claim,) = read_c2pa(store((label, entries(prefix + entry, use))), present=True)
    inference = entry == "ai_inference"
    assert claim.kind is (ClaimKind.NO_INFERENCE if inference else ClaimKind.OPT_OUT)
    assert claim.status is ClaimStatus.PARSED
    assert claim.parsed == f"{prefix}{entry}={use}"


@pytest.mark.parametrize("key", ["constraint_info", "constraints_info"])
def test_constraints_are_kept(key):
    said = entries("cawg.ai_training", "constrained", **{key: "ask Ada"})
    (claim,) = read_c2pa(store(("cawg.training-mining", said)), present=True)
    assert "ask Ada" in claim.raw


@pytest.mark.parametrize("use", ["maybe", "", None, 1, ["notAllowed"], {}])
@pytest.mark.parametrize("entry", ["cawg.ai_inference", "cawg.ai_training", "cawg.something_new"])
def test_an_unknown_word_forbids(use, entry):
    assert kinds(("cawg.training-mining", entries(entry, use))) == [ClaimKind.OPT_OUT]


def test_allowed_is_a_hint_and_none_in_a_broken_store():
    said = ("cawg.training-mining", entries("cawg.ai_training", "allowed"))
    assert kinds(said) == [ClaimKind.OPT_IN]
    (claim,) = read_c2pa(store(said), present=True, problems=["assertion.hashedURI.mismatch"])
    assert (claim.kind, claim.status) == (ClaimKind.OPT_OUT, ClaimStatus.UNREADABLE)
    assert "mismatch" in claim.note


def test_what_a_broken_store_forbids_counts():
    said = ("cawg.training-mining", entries("cawg.ai_training", "notAllowed"))
    claims = read_c2pa(store(said), present=True, problems=["claimSignature.mismatch"])
    assert {c.status for c in claims} == {ClaimStatus.PARSED, ClaimStatus.UNREADABLE}
    assert {c.kind for c in claims} == {ClaimKind.OPT_OUT}


def test_ingredients_count():
    inner = {
        "assertions": [
            {"label": "c2pa.training-mining", "data": entries("c2pa.ai_training", "notAllowed")}
        ]
    }
    (claim,) = read_c2pa(store(older=inner), present=True)
    assert claim.kind is ClaimKind.OPT_OUT
    assert "older" in claim.note


@pytest.mark.parametrize("data", [None, [], {}, {"entries": []}, {"entries": {}}, "notAllowed"])
def test_an_assertion_without_entries_asks_a_person(data):
    (claim,) = read_c2pa(store(("cawg.training-mining", data)), present=True)
    assert claim.status is ClaimStatus.UNREADABLE


def test_an_assertion_with_another_name_asks_a_person():
    (claim,) = read_c2pa(store(("org.other.data_mining", {"use": "no"})), present=True)
    assert claim.status is ClaimStatus.UNREADABLE


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia", True),
        (
            "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
            True,
        ),
        ("http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced", False),
        ("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", False),
    ],
)
def test_where_pixels_come_from(kind, found):
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}
    assert kinds(("c2pa.actions.v2", actions)) == [ClaimKind.SYNTHETIC] * found


@pytest.mark.parametrize("wrap", [str, lambda v: {"@id": v}, lambda v: [v]])
def test_iptc_inside_a_manifest(wrap):
    value = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"
    assert kinds(("c2pa.metadata", {"plus:DataMining": wrap(value)})) == [ClaimKind.OPT_OUT]


def test_nothing_there_says_nothing():
    assert read_c2pa(None, present=False) == ()
    assert read_c2pa(store(("c2pa.hash.data", {"pad": "x"})), present=True) == ()
    (claim,) = read_c2pa(None, present=True)
    assert claim.status is ClaimStatus.UNREADABLE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["manifests", "assertions", "label", "data", "entries", "use"]) | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["manifests", "active_manifest"]), JSON, max_size=2))
def test_no_report_raises(report):
    read_c2pa(report, present=True)


def test_a_deep_report_is_no_trap():
    deep: object = {"plus:DataMining": "DMI-PROHIBITED"}
    for _ in range(500):
        deep = {"x": deep}
    (claim,) = read_c2pa(store(("c2pa.metadata", deep)), present=True)
    assert claim.status is ClaimStatus.UNREADABLE
