"""Are copies found however they were changed, strangers left alone, and decisions kept?"""

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from scenes import scene

from picdeed.core.errors import UsageError
from picdeed.flow import pipeline
from picdeed.flow.statements import Given
from picdeed.registry import snapshots
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import open_registry


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
    assert found.clusters[0].licenses == ("CC-BY-NC-4.0", "CC0-1.0")
    assert found.review == ()  # who said that they are one is not asked again; the strictest binds
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


def test_who_comes_later_is_compared_with_all_and_only_what_is_new_is(registry, folder, tmp_path):
    for seed in range(4):
        scene(seed).save(folder / f"{seed}.png")
    first = names(registry, folder)
    assert pipeline.dedup(registry).clusters == ()
    later = tmp_path / "later"
    later.mkdir()
    EDITS["mirrored crop"](scene(2)).save(later / "crop.jpg", quality=85)
    EDITS["framed"](scene(3)).save(later / "framed.png")
    second = names(registry, later)
    seen = []
    found = pipeline.dedup(registry, progress=lambda what, _, of: seen.append((what, of)))
    assert {frozenset(c.members) for c in found.clusters} == {
        frozenset({first["2.png"], second["crop.jpg"]}),
        frozenset({first["3.png"], second["framed.png"]}),
    }
    assert len([what for what, _ in seen if what == "compare"]) == 2
    seen.clear()
    assert pipeline.dedup(registry, progress=lambda *told: seen.append(told)) == found
    assert seen == []


def test_any_order_of_arrival_gives_the_same_clusters(registry, folder, tmp_path):
    made = {"whole.png": scene(5), "crop.png": crop(scene(5), 0.15), "part.png": crop(scene(5), 0.2),
            "mirror.png": ImageOps.mirror(scene(5)), "other.png": scene(6)}  # fmt: skip
    for at, (name, image) in enumerate(reversed(made.items())):
        one = tmp_path / str(at)
        one.mkdir()
        image.save(one / name)
        names(registry, one)
        pipeline.dedup(registry)
    (apart,) = pipeline.dedup(registry).clusters
    pipeline.init(tmp_path / "again")
    again = open_registry(tmp_path / "again")
    for name, image in made.items():
        image.save(folder / name)
    ids = names(again, folder)
    (together_,) = pipeline.dedup(again).clusters
    assert (together_.members, together_.keeper) == (apart.members, apart.keeper)
    assert set(apart.members) == set(ids.values()) - {ids["other.png"]}


def test_a_crop_of_a_picture_with_many_copies_joins_them(registry, folder):
    """Ten copies: eight speak for all, and the crop still stands beside the keeper."""
    for at in range(10):
        scene(7).save(folder / f"{at}.jpg", quality=60 + 4 * at)
    crop(scene(7), 0.2).save(folder / "crop.png")
    scene(8).save(folder / "other.png")
    ids = names(registry, folder)
    (cluster,) = pipeline.dedup(registry).clusters
    assert set(cluster.members) == set(ids.values()) - {ids["other.png"]}


def test_equal_thumbnails_with_other_contents_are_not_one(registry, folder):
    """Two pages that differ in one number which no thumbnail shows."""
    for at, number in enumerate(("1,024", "8,192")):
        page = Image.new("RGB", (1400, 1000), "white")
        draw = ImageDraw.Draw(page)
        draw.rectangle((100, 100, 1300, 900), outline="black", width=30)
        draw.ellipse((500, 300, 900, 700), fill=(200, 60, 60))
        draw.text((680, 480), number, fill="white", font_size=40)
        page.save(folder / f"{at}.png")
    ids = names(registry, folder)
    found = pipeline.dedup(registry)
    assert found.clusters == ()
    assert {frozenset(d.pictures) for d in found.review} == {frozenset(ids.values())}


@pytest.mark.parametrize("kind", ["holder", "author"])
def test_one_picture_by_two_people_is_for_a_person(registry, folder, tmp_path, kind):
    ids = {}
    for who, image in (("Ada", scene(1)), ("Bob", EDITS["small"](scene(1)))):
        home = tmp_path / who
        home.mkdir()
        image.save(home / "a.png")
        if kind == "author":
            (home / "metadata.csv").write_text(f"file_name,author\na.png,{who}\n")
        given = {"holder": who} if kind == "holder" else {}
        ids[who] = names(registry, home, license="CC0-1.0", **given)["a.png"]
    found = pipeline.dedup(registry)
    (torn,) = [d for d in found.review if d.kind == f"{kind}s-differ"]
    assert set(torn.pictures) == set(ids.values())
    assert "ada" in torn.why.lower()
    assert "bob" in torn.why.lower()
    told = pipeline.explain(registry, ids["Ada"], pipeline.Use.TRAIN)
    assert told.verdict == "REVIEW"
    pipeline.decide_pair(registry, *ids.values(), PairVerdict.NOT_A_MATCH, by="Eve")
    assert pipeline.explain(registry, ids["Ada"], pipeline.Use.TRAIN).verdict == "ALLOW"


def test_the_last_word_about_who_stands_for_copies_counts_in_snapshots_too(registry, folder):
    scene(1).save(folder / "large.png")
    scene(1).resize((400, 300), Image.Resampling.LANCZOS).save(folder / "middle.png")
    EDITS["small"](scene(1)).save(folder / "small.png")
    ids = names(registry, folder, license="CC0-1.0", holder="Ada")
    large, middle, small = (ids[f"{one}.png"] for one in ("large", "middle", "small"))

    def stands():
        (cluster,) = pipeline.dedup(registry).clusters
        frozen = pipeline.freeze(registry, "d")
        with registry.read() as session:
            (member,) = snapshots.members(session, frozen.snapshot)
        return cluster.keeper, member.picture_id

    assert stands() == (large, large)
    pipeline.decide_pair(registry, large, small, PairVerdict.MERGE, keep=small, by="Eve")
    assert stands() == (small, small)
    pipeline.decide_pair(registry, large, middle, PairVerdict.MERGE, keep=middle, by="Eve")
    assert stands() == (middle, middle)


def test_of_copies_the_one_whose_source_is_known_stands_for_them(registry, folder, tmp_path):
    scene(1).save(folder / "large.png")
    large = names(registry, folder, license="CC0-1.0")["large.png"]
    other = tmp_path / "other"
    other.mkdir()
    EDITS["small"](scene(1)).save(other / "small.png")
    small = names(registry, other, license="CC0-1.0", holder="Ada")["small.png"]
    (cluster,) = pipeline.dedup(registry).clusters
    assert (cluster.keeper, set(cluster.members)) == (small, {small, large})
