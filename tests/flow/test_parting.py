"""Are copies on one side of a run, is that settled at its start, and is a later find reported?"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from picture_edits import cropped, hue, jpeg
from PIL import Image, ImageDraw, ImageOps

from picdeed.cli.show import plain
from picdeed.cli.stages import show_run
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.notices import notices
from picdeed.flow.parting import Leak
from picdeed.jobs import launch
from picdeed.registry import subjects
from picdeed.registry.codes import PairVerdict
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.testing import tiny_registry

QUICK = ("steps=4", "batch=4", "rank=2", "warmup_steps=0", "eval_noises=1", "hold_out=0.34")
STRANGERS = 9


def scene(seed: int) -> Image.Image:
    """A picture with texture everywhere and things in it."""
    chance = np.random.default_rng(seed)
    field = chance.integers(0, 255, (20, 26, 3), dtype=np.uint8)
    image = Image.fromarray(field).resize((312, 240), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y, r = (int(v) for v in chance.integers((0, 0, 4), (312, 240, 30)))
        fill = tuple(int(v) for v in chance.integers(0, 255, 3))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    return image


# The first three are one picture; the last is another one in other colours.
EDITS = {
    "mirrored": (0, lambda image: jpeg(ImageOps.mirror(image), 85)),
    "cropped": (0, lambda image: cropped(image, 0.1)),
    "recoded": (0, lambda image: jpeg(image, 60)),
    "recoloured": (1, lambda image: hue(image, 100)),
}


@dataclass(frozen=True)
class Held:
    """A registry whose one snapshot holds copies: a person had said that they are none."""

    place: Path
    snapshot: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def held_once(tmp_path_factory: pytest.TempPathFactory) -> Held:
    place = tmp_path_factory.mktemp("parted")
    registry = tiny_registry(place / "registry")
    folder = place / "pictures"
    folder.mkdir()
    for seed in range(STRANGERS):
        scene(seed).save(folder / f"{seed}.png")
    for name, (seed, edit) in EDITS.items():
        edit(scene(seed)).save(folder / f"{name}.png")
    given = pipeline.Given(license="CC0-1.0", holder="A. Author")
    done = pipeline.register(registry, folder, "scenes", given=given)
    ids = {Path(found.path).stem: found.id for found in done.ingested.pictures}
    copies = [ids["0"], *(ids[name] for name in ("mirrored", "cropped", "recoded"))]
    for at, first in enumerate(copies):
        for second in copies[at + 1 :]:
            pipeline.decide_pair(registry, first, second, PairVerdict.NOT_A_MATCH)
    pipeline.decide_pair(registry, ids["1"], ids["recoloured"], PairVerdict.VARIANT)
    frozen = pipeline.freeze(registry, "scenes", pipeline.Query(all=True))
    assert frozen.members == STRANGERS + len(EDITS)
    # The recolouring stays in a snapshot: it is kin, and no copy.
    assert (frozen.effective.distinct, frozen.effective.pictures) == (12, 11.27)
    registry.close()
    return Held(place, frozen.snapshot, ids)


@pytest.fixture
def held(held_once: Held, tmp_path: Path) -> Registry:
    shutil.copytree(held_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def undo(registry: Registry) -> None:
    """Take back that they are none: from now on they are the copies that their pixels show."""
    for one in pipeline.list_decided(registry):
        if one.verdict == PairVerdict.NOT_A_MATCH:
            pipeline.decide_pair(registry, *one.pictures, None)


def stop(folder: Path, *, progress: object) -> None:
    raise KeyboardInterrupt


def started(registry: Registry, snapshot: str, *changes: str, seed: int = 0) -> str:
    """A run whose plan stands and whose first step was never made."""
    recipe = load_recipe("demo", [*QUICK, *changes])
    run = pipeline.fine_tune(registry, snapshot, "sprig", recipe, None, seed=seed).run
    with pytest.raises(KeyboardInterrupt):
        pipeline.resume(registry, run, stop)
    return run


def folder_of(registry: Registry, run: str) -> Path:
    with registry.read() as session:
        return registry.root / subjects.require(session, Run, run).folder


def test_copies_crops_mirrors_and_recolourings_are_on_one_side(
    held: Registry, held_once: Held
) -> None:
    ids = held_once.ids
    undo(held)
    plan = read_plan(folder_of(held, started(held, held_once.snapshot)))
    same = {ids[name] for name in ("0", "mirrored", "cropped", "recoded")}
    kin = {frozenset(same), frozenset({ids["1"], ids["recoloured"]})}
    assert {frozenset(group) for group in plan.kin} == kin
    assert {frozenset(group) for group in plan.copies} == {frozenset(same)}
    sides = [{t.picture for t in side} for side in (plan.members, plan.held_out)]
    assert len(sides[1]) >= 2
    for group in kin:
        assert any(group <= side for side in sides)
    assert plan.drawn_as_one == (plan.copies if same <= sides[0] else ())


def test_a_snapshot_says_how_many_different_pictures_it_is_worth(held: Registry) -> None:
    undo(held)
    frozen = pipeline.freeze(held, "scenes", pipeline.Query(all=True))
    # Copies are left out of a new one; the recolouring is not.
    assert (frozen.members, frozen.left_out) == (10, {"duplicate": 3})
    assert plain(frozen)["effective"] == {"distinct": 9, "pictures": 8.33}


def test_who_is_held_out_is_settled_when_the_run_starts(
    held: Registry, held_once: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    run = started(held, held_once.snapshot)
    folder = folder_of(held, run)
    before = read_plan(folder)
    alone = held_once.ids.keys() - {"1", "recoloured"}
    strangers = {held_once.ids[name] for name in alone}
    trained, first = (
        next(one.picture for one in side if one.picture in strangers)
        for side in (before.members, before.held_out)
    )
    assert pipeline.show(held, run).leaks == ()
    # Known only now, while the run is under way: nothing moves, and it is said.
    pipeline.decide_pair(held, trained, first, PairVerdict.MERGE, by="Eve")
    done = pipeline.resume(held, run, launch.foreground)
    assert done.state == "succeeded"
    after = read_plan(folder)
    assert (after.digest(), after.held_out) == (before.digest(), before.held_out)
    (leak,) = done.leaks
    assert leak == Leak(first, (trained,))
    assert plain(done)["leaks"] == [{"held_out": first, "trained": [trained]}]
    twice = {held_once.ids["1"], held_once.ids["recoloured"]} <= {t.picture for t in after.members}
    assert (done.kin_groups, done.distinct_pictures) == (1, len(after.members) - twice)
    show_run("runs", done, as_json=False)
    assert "! 1 of the held-out pictures" in capsys.readouterr().out
    text = notices(held, pipeline.rules(), run).text.decode()
    assert text.count("held out: measured on, never learned from") == len(after.held_out)
    # Another run of the same pictures parts them by what is known today.
    other = read_plan(folder_of(held, started(held, held_once.snapshot, seed=1)))
    assert any({trained, first} <= set(group) for group in other.kin)
    assert pipeline.show(held, other.run).leaks == ()
    pipeline.decide_pair(held, trained, first, None)
    pipeline.dedup(held)
    assert pipeline.show(held, run).leaks == ()


def test_a_run_from_before_plans_knew_kin_goes_on_as_it_began_and_its_leaks_are_found(
    held: Registry, held_once: Held
) -> None:
    undo(held)
    run = started(held, held_once.snapshot)
    folder = folder_of(held, run)
    plan = json.loads((folder / "plan.json").read_text())
    group = max(plan["copies"], key=len)
    everyone = {one["picture"]: one for one in (*plan["members"], *plan["held_out"])}
    # As single pictures were ranked: one of the copies held out, the others trained on.
    names = [name for name in everyone if name not in group]
    held_out = {names[0], names[1], group[0]}
    plan["held_out"] = [everyone[name] for name in sorted(held_out)]
    plan["members"] = [everyone[name] for name in sorted(everyone.keys() - held_out)]
    del plan["kin"], plan["copies"]
    (folder / "plan.json").write_text(json.dumps(plan))
    before = read_plan(folder)
    with pytest.raises(KeyboardInterrupt):
        pipeline.resume(held, run, stop)
    assert read_plan(folder).digest() == before.digest()
    assert {one.picture for one in read_plan(folder).held_out} == held_out
    found = pipeline.show(held, run).leaks
    assert Leak(group[0], tuple(group[1:])) in found


def test_nothing_but_one_picture_trains_and_says_why_nobody_is_held_out(
    held: Registry, held_once: Held
) -> None:
    for name in map(str, range(1, STRANGERS)):
        pipeline.decide_pair(held, held_once.ids["0"], held_once.ids[name], PairVerdict.MERGE)
    undo(held)
    recipe = load_recipe("demo", [*QUICK, "steps=1"])
    done = pipeline.fine_tune(held, held_once.snapshot, "sprig", recipe, launch.foreground)
    assert (done.state, done.loss, done.leaks) == ("succeeded", None, ())
    assert "of 13 pictures 13 are, or may be, 1 picture." in done.loss_reason
    assert (done.distinct_pictures, done.effective_pictures, done.kin_groups) == (1, 1.0, 1)
