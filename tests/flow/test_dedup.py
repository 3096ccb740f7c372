"""Are copies found however they were changed, strangers left alone, and decisions kept?"""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from picdeed.core.errors import UsageError
from picdeed.flow import pipeline
from picdeed.flow.statements import Given
from picdeed.registry.codes import PairVerdict


def scene(seed, size=(480, 360)):
    """A picture with texture everywhere and things in it."""
    chance = np.random.default_rng(seed)
    field = chance.integers(0, 255, (size[1] // 12, size[0] // 12, 3), dtype=np.uint8)
    image = Image.fromarray(field).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.integers(0, size[0]), chance.integers(0, size[1])
        r = int(chance.integers(4, 40))
        fill = tuple(int(v) for v in chance.integers(0, 255, 3))
        if chance.random() < 0.5:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        else:
            draw.rectangle((x - r, y - r // 2, x + r, y + r // 2), fill=fill)
    return image


def crop(image, share):
    w, h = image.size
    return image.crop((int(w * share), int(h * share), int(w * (1 - share)), int(h * (1 - share))))


EDITS = {
    "small": lambda image: image.resize((240, 180), Image.Resampling.LANCZOS),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.rotate(90, expand=True),
    "cropped": lambda image: crop(image, 0.1),
    "framed": lambda image: ImageOps.expand(image, 40, (255, 255, 255)),
    "mirrored crop": lambda image: ImageOps.mirror(crop(image, 0.15)),
    "softened": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    made.mkdir()
    return made


def names(registry, folder, dataset="d", **given):
    done = pipeline.register(registry, folder, dataset, given=Given(**given))
    return {found.path.rsplit("/", 1)[-1]: found.id for found in done.ingested.pictures}


def together(registry, a, b):
    return any({a, b} <= set(c.members) for c in pipeline.dedup(registry).clusters)


@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_copy_is_the_same_picture(registry, folder, edit):
    scene(1).save(folder / "a.png")
    EDITS[edit](scene(1)).save(folder / "b.jpg", quality=80)
    scene(2).save(folder / "c.png")
    ids = names(registry, folder)
    (cluster,) = pipeline.dedup(registry).clusters
    assert set(cluster.members) == {ids["a.png"], ids["b.jpg"]}
    assert cluster.kind == "near"


def test_strangers_are_left_alone(registry, folder):
    for seed in range(8):
        scene(seed).save(folder / f"{seed}.png")
    names(registry, folder)
    found = pipeline.dedup(registry)
    assert found.clusters == ()
    assert found.review == ()


def test_a_decision_outlasts_every_rescan_and_can_be_undone(registry, folder):
    scene(1).save(folder / "a.png")
    EDITS["mirrored"](scene(1)).save(folder / "b.png")
    ids = names(registry, folder)
    a, b = ids["a.png"], ids["b.png"]
    assert together(registry, a, b)
    pipeline.decide_pair(registry, a[:14], b, PairVerdict.NOT_A_MATCH, by="Eve")
    assert not together(registry, a, b)
    assert not together(registry, a, b)
    pipeline.decide_pair(registry, b, a, None)
    assert together(registry, a, b)
    with pytest.raises(UsageError, match="Nothing was decided"):
        pipeline.decide_pair(registry, a, b, None)


def test_a_merge_binds_like_a_copy_and_its_keeper_is_chosen(registry, folder):
    scene(1).save(folder / "a.png")
    names(registry, folder)
    other = folder.parent / "other"
    other.mkdir()
    scene(2, (240, 180)).save(other / "b.png")
    b = names(registry, other, license="CC0-1.0")["b.png"]
    a = names(registry, folder, license="CC-BY-NC-4.0")["a.png"]
    pipeline.decide_pair(registry, a, b, PairVerdict.MERGE, keep=b, by="Eve")
    found = pipeline.dedup(registry)
    assert [(c.keeper, set(c.members)) for c in found.clusters] == [(b, {a, b})]
    assert "licenses-differ" in {doubt.kind for doubt in found.review}
    assert pipeline.explain(registry, b, pipeline.Use.TRAIN).verdict == "DENY"
    with pytest.raises(UsageError, match="stand for both"):
        pipeline.decide_pair(registry, a, b, PairVerdict.VARIANT, keep=a)
    with pytest.raises(UsageError, match="itself"):
        pipeline.decide_pair(registry, a, a, PairVerdict.MERGE)


def test_what_a_person_said_twice_is_one_decision(registry, folder):
    scene(1).save(folder / "a.png")
    scene(2).save(folder / "b.png")
    ids = names(registry, folder)
    for _ in range(2):
        pipeline.decide_pair(registry, *ids.values(), PairVerdict.VARIANT)
    assert len(pipeline.list_decided(registry)) == 1


def test_a_collage_joins_nobody_and_asks(registry, folder):
    scene(1).save(folder / "a.png")
    scene(2).save(folder / "b.png")
    both = Image.new("RGB", (960, 360))
    both.paste(scene(1), (0, 0))
    both.paste(scene(2), (480, 0))
    both.save(folder / "both.png")
    ids = names(registry, folder)
    found = pipeline.dedup(registry)
    assert not any(ids["a.png"] in c.members and ids["b.png"] in c.members for c in found.clusters)
    assert any(
        doubt.kind == "contains-several" and doubt.pictures[0] == ids["both.png"]
        for doubt in found.review
    )
