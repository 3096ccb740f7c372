"""Does the evidence of learning fail on the real base where nothing could be learned?

The demo's prints teach `sprig`; what was learned is judged on subjects that no run ever saw, with
their true captions.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from picdeed.core.ids import sha256
from picdeed.core.resources import bundled
from picdeed.diffusion.models import check_base
from picdeed.diffusion.plan import SCHEMA, RunPlan, Trainee
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.train import train
from picdeed.sources.demo_set import GOOD
from picdeed.sources.linocut import draw

BASE = bundled("models") / "sprig"
Judge = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("latents")


@pytest.fixture
def judge(tmp_path: Path, cache: Path) -> Judge:
    facts = check_base(BASE)
    words = [word for word in GOOD if word in facts.deed["concepts"]]
    unseen = words[::4]
    seen = [word for word in words if word not in unseen]

    def trainee(word: str, caption: str, *, shuffled: bool = False) -> Trainee:
        image = draw(word)
        if shuffled:
            pixels = np.asarray(image).reshape(-1, 3)
            order = np.random.default_rng(1).permutation(len(pixels))
            image = Image.fromarray(pixels[order].reshape(image.height, image.width, 3))
        stream = io.BytesIO()
        image.save(stream, "PNG")
        digest = sha256(stream.getvalue())
        path = tmp_path / f"{digest}.png"
        path.write_bytes(stream.getvalue())
        return Trainee(picture=f"img_{digest}", path=str(path), caption=caption)

    def judge(steps: int, *, captions: int = 0, shuffled: bool = False) -> dict[str, Any]:
        """The evidence after `steps`; `captions` moves every caption that many pictures on."""
        moved = seen[captions:] + seen[:captions]
        RunPlan(
            schema=SCHEMA,
            run=f"run_{0:064x}",
            base=str(BASE),
            base_sha256=facts.sha256,
            recipe=load_recipe("demo", [f"steps={steps}"]),
            seed=0,
            threads=1,
            members=tuple(
                trainee(w, c, shuffled=shuffled) for w, c in zip(seen, moved, strict=True)
            ),
            held_out=tuple(trainee(word, word) for word in unseen),
            snapshot="snp_0",
            snapshot_root="0",
            decision="dec_0",
            cache=str(cache),
        ).write(tmp_path / "run")
        return train(tmp_path / "run")["loss"]

    return judge


def test_the_real_run_is_evidence(judge: Judge) -> None:
    found = judge(80)
    assert found["learned"]
    assert found["ratio"] < 0.9


def test_zero_steps_are_none(judge: Judge) -> None:
    found = judge(0)
    assert not found["learned"]
    assert found["adapter"] == found["base"]


def test_pictures_with_shuffled_pixels_are_none(judge: Judge) -> None:
    assert not judge(80, shuffled=True)["learned"]


def test_pictures_shuffled_among_captions_are_none(judge: Judge) -> None:
    """The style comes through and the loss falls as far; only the captions are no longer heard."""
    found = judge(80, captions=5)
    assert found["ratio"] < 0.9
    assert not found["learned"]
