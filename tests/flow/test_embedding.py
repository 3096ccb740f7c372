"""Does a model that the user brought propose copies, and do the pixels decide what they are?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from picture_edits import cropped
from PIL import ImageOps
from scenes import keep, scene
from tiny_towers import write_tower

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.flow import pairs as pairs_module
from picdeed.flow import pipeline
from picdeed.flow.embedding import propose_by_embedding
from picdeed.flow.takeback import erase_picture
from picdeed.imaging.cosine import MOST
from picdeed.registry import ledger, similar

ALL = 0.0001  # a threshold above which half of all pairs lie


@pytest.fixture(scope="session")
def tower(tmp_path_factory) -> Path:
    return write_tower(tmp_path_factory.mktemp("tower") / "sscd", "sscd")


@pytest.fixture
def many(monkeypatch):
    """As in a registry of more than 5,000 pictures: corners are not compared with all others'."""
    monkeypatch.setattr(pairs_module, "LOCAL_UP_TO", 0)


def names(registry, folder, dataset="d"):
    done = pipeline.register(registry, folder, dataset)
    return {
        found.path.rsplit("/", 1)[-1].partition(".")[0]: found.id
        for found in done.ingested.pictures
    }


@pytest.fixture
def scenes(registry, tmp_path):
    """Six strangers, and a crop of the second that no code is near to."""
    images = {f"s{seed}": scene(seed) for seed in range(6)}
    images["crop"] = cropped(scene(1), 0.3)
    return names(registry, keep(tmp_path / "pictures", **images))


def clusters(found):
    return {frozenset(one.members) for one in found.clusters}


@pytest.mark.usefixtures("many")
def test_what_codes_do_not_propose_the_model_does_and_pixels_decide(registry, scenes, tower):
    assert pipeline.dedup(registry).clusters == ()
    found = pipeline.dedup_by_embedding(registry, tower, threshold=ALL)
    assert clusters(found) == {frozenset({scenes["s1"], scenes["crop"]})}
    told = found.embedding
    assert (told.pictures, told.embedded, told.unread, told.cut) == (7, 7, 0, 0)
    # All of them look alike to it, and only one pair is.
    assert told.looked_at == 21
    assert told.found == 1
    with registry.read() as session:
        kinds = similar.kinds(session)
        written = [
            json.loads(one.payload)
            for one in ledger.events(session, kind=Event.DEDUP_FINGERPRINTED)
        ]
    assert sum(kind == "unrelated" for kind in kinds.values()) == 20
    assert [one["pairs"] for one in written if one.get("embedding") == told.algorithm] == [21]
    # What was found stays found, by whoever asks next.
    assert clusters(pipeline.dedup(registry)) == clusters(found)
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


@pytest.mark.usefixtures("many")
def test_a_pair_below_the_threshold_is_not_looked_at(registry, scenes, tower):
    found = pipeline.dedup_by_embedding(registry, tower, threshold=0.9999)
    assert (found.embedding.proposed, found.clusters) == (0, ())
    # A lower threshold searches everything again, a higher one nothing.
    assert pipeline.dedup_by_embedding(registry, tower, threshold=ALL).embedding.looked_at == 21
    assert pipeline.dedup_by_embedding(registry, tower, threshold=0.5).embedding.proposed == 0


@pytest.mark.usefixtures("many")
def test_repeating_it_has_no_second_effect(registry, scenes, tower):
    pipeline.dedup_by_embedding(registry, tower, threshold=ALL)
    with registry.read() as session:
        before = ledger.last_event(session)
    again = pipeline.dedup_by_embedding(registry, tower, threshold=ALL).embedding
    assert (again.embedded, again.proposed, again.looked_at, again.found) == (0, 0, 0, 0)
    with registry.read() as session:
        assert ledger.last_event(session) == before


@pytest.mark.usefixtures("many")
def test_who_comes_later_is_compared_with_all_as_if_they_had_come_together(
    registry, scenes, tower, tmp_path
):
    pipeline.dedup_by_embedding(registry, tower, threshold=ALL)
    later = names(
        registry, keep(tmp_path / "later", mirrored=ImageOps.mirror(cropped(scene(4), 0.3)))
    )
    seen = []
    found = pipeline.dedup_by_embedding(
        registry, tower, threshold=ALL, progress=lambda *told: seen.append(told)
    )
    assert (found.embedding.embedded, found.embedding.looked_at) == (1, 7)
    assert ("embed", 0, 1) in seen
    assert frozenset({scenes["s4"], later["mirrored"]}) in clusters(found)
    with registry.read() as session:
        apart = similar.kinds(session)
    # The cache is gone: all is made again, and no pair is compared twice.
    for path in (registry.cache / "embeddings").rglob("*"):
        if path.is_file():
            path.unlink()
    whole = pipeline.dedup_by_embedding(registry, tower, threshold=ALL)
    assert (whole.embedding.embedded, whole.embedding.looked_at) == (8, 0)
    assert clusters(whole) == clusters(found)
    with registry.read() as session:
        assert similar.kinds(session) == apart


@pytest.mark.usefixtures("many")
def test_two_models_never_mix(registry, scenes, tower, tmp_path):
    one = pipeline.dedup_by_embedding(registry, tower, threshold=0.9999).embedding
    other = write_tower(tmp_path / "other", "sscd", seed=5)
    two = pipeline.dedup_by_embedding(registry, other, threshold=ALL).embedding
    assert one.algorithm != two.algorithm
    assert (two.embedded, two.looked_at) == (7, 21)  # nothing of the first one's was taken over
    assert len(list((registry.cache / "embeddings").iterdir())) == 2


def test_an_erased_picture_has_no_vector_left(registry, scenes, tower):
    pipeline.dedup_by_embedding(registry, tower)
    gone = scenes["s3"]
    kept = registry.cache / "embeddings"
    assert any(gone.encode() in path.read_bytes() for path in kept.rglob("names"))
    erase_picture(registry, gone, "Her letter")
    assert not any(gone.encode() in p.read_bytes() for p in kept.rglob("*") if p.is_file())
    assert pipeline.dedup_by_embedding(registry, tower).embedding.pictures == 6


@pytest.mark.usefixtures("many")
def test_a_picture_whose_bytes_are_broken_is_passed_over_and_counted(registry, scenes, tower):
    pipeline.dedup(registry)
    registry.blobs.remove(scenes["s2"][4:])
    told = propose_by_embedding(registry, tower, ALL)
    assert (told.pictures, told.embedded, told.unread) == (6, 6, 1)
    assert told.looked_at == 15


@pytest.mark.usefixtures("many")
def test_of_many_alike_each_proposes_its_nearest_and_it_is_said(
    registry, scenes, tower, monkeypatch
):
    from picdeed.flow import embedding

    original = embedding.alike
    monkeypatch.setattr(embedding, "alike", lambda *args, new: original(*args, most=1, new=new))
    told = propose_by_embedding(registry, tower, ALL)
    assert told.cut == 7
    assert told.looked_at < 7
    assert told.most == MOST


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(registry, tower, threshold):
    with pytest.raises(UsageError, match="cosine"):
        propose_by_embedding(registry, tower, threshold)


def test_without_torch_the_extra_is_named(registry, tower):
    code = (
        "import sys\n"
        "for one in ('torch', 'transformers', 'diffusers', 'safetensors'): sys.modules[one] = None\n"
        "from pathlib import Path\n"
        "from picdeed.core.errors import MissingPart\n"
        "from picdeed.flow.embedding import propose_by_embedding\n"
        "from picdeed.registry.session import open_registry\n"
        "try: propose_by_embedding(open_registry(sys.argv[1]), Path(sys.argv[2]))\n"
        "except MissingPart as error: print(error, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(registry.root), str(tower)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "needs" in done.stdout
    assert "picdeed[train]" in done.stdout
