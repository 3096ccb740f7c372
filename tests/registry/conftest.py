"""A small registry, and one with a row in every table."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.registry import (
    bases,
    claims,
    codes,
    conclusions,
    datasets,
    decisions,
    descent,
    facts,
    grants,
    ledger,
    looks,
    outputs,
    pictures,
    revocations,
    runs,
    similar,
    snapshots,
    texts,
    tombstones,
)
from picdeed.registry.session import create_registry, open_registry

AT = "2026-01-02T03:04:05.000000Z"


def picture(name: str, **changes) -> pictures.Picture:
    """A picture whose bytes are its name."""
    digest = sha256(name.encode())
    cells = {
        "id": pictures.picture_id(digest),
        "sha256": digest,
        "bytes": len(name),
        "media_type": "image/png",
        "width": 3,
        "height": 4,
        "first_seen": AT,
    }
    return pictures.Picture(**(cells | changes))


def dataset(name: str) -> datasets.Dataset:
    return datasets.Dataset(id=datasets.dataset_id(name), name=name, created_at=AT)


def standing(expression="CC0-1.0", verdict="ALLOW", **changes):
    cells = {
        "license": expression,
        "rule": "one-claim",
        "conflict": False,
        "opt_out": False,
        "checked": False,
        "verdicts": {"train": verdict, "sell-adapter": "DENY"},
        "reasons": [{"license": expression, "effect": verdict}],
        "findings": [],
        "grants": [],
        "until": None,
    }
    return conclusions.new_standing(cells | changes)


def conclusion(picture_id: str, answer, **changes):
    cells = {
        "picture_id": picture_id,
        "standing_id": answer.id,
        "claims_hash": "c",
        "policy_hash": "p",
        "concluded_at": AT,
    }
    return conclusions.Conclusion(**(cells | changes))


def claim(picture_id: str, raw="CC0-1.0", **changes):
    cells = {
        "source": "item-metadata",
        "kind": "license",
        "raw": raw,
        "parsed": raw,
        "status": "parsed",
        "parser": "spdx/1",
        "observed_at": AT,
    }
    return claims.new_claim(picture_id, **(cells | changes))


def one_life() -> SimpleNamespace:
    """Two pictures, a snapshot of the first, and everything down to an output; unsaved rows."""
    a, b = picture("a"), picture("b")
    d = dataset("birds")
    leaf = snapshots.leaf(a.sha256, "a bird", "CC0-1.0")
    root = snapshots.root_of([leaf])
    snp = snapshots.Snapshot(id=snapshots.snapshot_id(root), root=root, members=1, created_at=AT)
    base = bases.Base(
        id=bases.base_id("5" * 64),
        name="sprig",
        sha256="5" * 64,
        license="Apache-2.0",
        deed={"pictures": 5},
        path="models/sprig",
        added_at=AT,
    )
    dec = decisions.Decision(
        id=decisions.decision_id("i" * 64, "p" * 64, 0),
        snapshot_id=snp.id,
        base_id=base.id,
        uses=["train"],
        profile="conservative",
        commercial=True,
        verdict="ALLOW",
        reasons=[],
        duties=[{"kind": "notice"}],
        drop=[],
        inputs_hash="i" * 64,
        policy_hash="p" * 64,
        decided_at=AT,
        valid_until=AT,
    )
    run = runs.Run(
        id=runs.run_id(snp.id, base.id, "r" * 64, 0, 0),
        snapshot_id=snp.id,
        decision_id=dec.id,
        base_id=base.id,
        recipe={"lr": 0.001},
        recipe_sha256="r" * 64,
        state=runs.RunState.SUCCEEDED,
        seed=0,
        steps=10,
        folder="runs/one",
        started_at=AT,
        result={"loss": 0.5},
    )
    adapter = runs.Adapter(
        id="adp_" + "7" * 64,
        run_id=run.id,
        sha256="8" * 64,
        path="runs/one/adapter.safetensors",
        bytes=5,
        created_at=AT,
    )
    out = outputs.Output(
        id=outputs.output_id({"prompt": "a bird"}, "9" * 64),
        adapter_id=adapter.id,
        base_id=base.id,
        run_id=run.id,
        recipe={"prompt": "a bird"},
        prompt="a bird",
        seed=1,
        pixel_sha256="9" * 64,
        sha256="0" * 64,
        manifest_label="urn:c2pa:1",
        signer="DEVELOPMENT",
        state=runs.Standing.GOOD,
        created_at=AT,
    )
    clu = similar.Cluster(
        id=similar.cluster_id("near", [a.id, b.id]), kind="near", keeper=min(a.id, b.id)
    )
    return SimpleNamespace(
        a=a,
        b=b,
        dataset=d,
        snapshot=snp,
        base=base,
        decision=dec,
        run=run,
        adapter=adapter,
        output=out,
        cluster=clu,
        request=snapshots.SnapshotRequest(
            id=snapshots.request_id(snp.id, d.id, {}, {}),
            snapshot_id=snp.id,
            dataset_id=d.id,
            query={},
            left_out={"duplicate": 1},
            requested_at=AT,
        ),
        snapshot_member=snapshots.SnapshotMember(
            snapshot_id=snp.id,
            picture_id=a.id,
            caption="a bird",
            caption_sha256=sha256(b"a bird"),
            license="CC0-1.0",
            leaf_sha256=sha256(leaf),
        ),
        revocation=revocations.Revocation(
            id=revocations.revocation_id(b.id, "error", AT),
            target=b.id,
            ground="error",
            effective=AT,
            declared_at=AT,
            impact={"pictures": 1},
        ),
        grant=grants.Grant(
            id=grants.grant_id({"licensor": "Ada"}),
            licensor="Ada",
            licensee="us",
            authority="",
            actions=["train"],
            scope=a.id,
            starts=AT,
            survival="unknown",
            terms={"territory": "world"},
            evidence_sha256="e" * 64,
            evidence_name="contract.pdf",
            recorded_by="Eve",
            recorded_at=AT,
        ),
    )


def rows_of(life: SimpleNamespace) -> list:
    """Every row of one life, at least one in each covered table, children before parents."""
    rows = list(vars(life).values())
    for p in (life.a, life.b):
        rows += [
            datasets.Member(dataset_id=life.dataset.id, picture_id=p.id, caption="c", added_at=AT),
            pictures.new_occurrence(p.id, life.dataset.id, "x.png", "folder", seen_at=AT),
            claim(p.id),
            similar.Fingerprint(
                picture_id=p.id,
                algorithm="phash64/1",
                phash="0" * 16,
                dhash="1" * 16,
                pixels_sha256="2" * 64,
                created_at=AT,
            ),
            similar.ClusterMember(cluster_id=life.cluster.id, picture_id=p.id),
        ]
    answer = standing()
    rows += [answer, *(conclusion(p.id, answer) for p in (life.a, life.b))]
    slip = claim(life.b.id, "MIT", source="person")
    rows += [
        slip,
        claims.ClaimCorrection(corrects_id=slip.id, because="a slip", corrected_at=AT),
        grants.GrantSubject(grant_id=life.grant.id, subject_id=life.a.id, matched=True),
        facts.LicenseeFact(
            id=facts.fact_id("annual-revenue-usd", "5", AT, AT),
            name="annual-revenue-usd",
            value="5",
            since=AT,
            recorded_by="Eve",
            recorded_at=AT,
        ),
        texts.LicenseText(
            url="https://example.org/license",
            sha256="f" * 64,
            license="MIT",
            origin="catalogue",
            first_seen=AT,
        ),
        decisions.Approval(
            decision_id=life.decision.id, recorded_at=AT, by="Eve", basis="contract", until=AT
        ),
        revocations.RevocationEffect(
            revocation_id=life.revocation.id, subject_id=life.a.id, before="good", after="revoked"
        ),
        tombstones.Tombstone(
            feed="k" * 64,
            seq=1,
            salt="5" * 64,
            revocation="rev_1",
            file_hash="1" * 64,
            ground="takedown",
            effective=AT,
            entry_hash="2" * 64,
            read_at=AT,
        ),
        looks.TombstoneLook(
            feed="k" * 64,
            seq=1,
            algorithm="pdq256/1",
            turned="0" * 512,
            quality=80,
            colours="0" * 384,
        ),
        *(
            codes.CodeRow(
                picture_id=p.id,
                algorithm="pdq256/1",
                turned="0" * 512,
                trim_box=[0, 0, 3, 4],
                quality=80,
                colours="0" * 384,
                created_at=AT,
            )
            for p in (life.a, life.b)
        ),
        codes.PairDecision(
            id=codes.decision_id(life.a.sha256, life.b.sha256, "merge", None, AT),
            a=min(life.a.sha256, life.b.sha256),
            b=max(life.a.sha256, life.b.sha256),
            verdict="merge",
            by="Eve",
            because="seen",
            recorded_at=AT,
        ),
        descent.Derivation(
            child_id=life.b.id, parent_id=life.a.id, relation="crop-of", recorded_at=AT
        ),
    ]
    rows.append(
        similar.new_pair(life.a.id, life.b.id, kind="near", distance=0.25, evidence={"ncc": 0.99})
    )
    return rows[::-1]


@pytest.fixture
def registry(tmp_path):
    made = create_registry(tmp_path / "reg")
    yield made
    made.close()


@pytest.fixture(scope="session")
def _full_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "reg"
    made = create_registry(folder)
    with made.write() as session:
        ledger.write(session, Event.INGEST_PICTURES, {"n": 2}, rows_of(one_life()))
    with made.write() as session:
        gone = dataset("gone")
        ledger.write(session, Event.INGEST_PICTURES, {}, [gone])
        ledger.write(session, Event.INGEST_PICTURES, {}, [], deleted=[gone])
    made.close()
    return folder


@pytest.fixture
def full(_full_folder, tmp_path):
    """A copy of a registry with rows in every table: it may be broken at will."""
    shutil.copytree(_full_folder, tmp_path / "full")
    opened = open_registry(tmp_path / "full")
    yield opened
    opened.close()


@pytest.fixture
def make():
    """Unsaved rows by kind."""
    return SimpleNamespace(
        at=AT,
        picture=picture,
        dataset=dataset,
        conclusion=conclusion,
        standing=standing,
        claim=claim,
        one_life=one_life,
        rows_of=rows_of,
    )


@pytest.fixture
def life():
    """The ids of what the full registry holds."""
    return one_life()


@pytest.fixture
def save(registry):
    """Write rows into the small registry."""

    def write(*rows, deleted=()):
        with registry.write() as session:
            ledger.write(session, Event.INGEST_PICTURES, {}, rows, deleted)

    return write
