"""Does a base draw by a sampler that it knows when nobody names one?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.guidance import ALWAYS, USUAL, Interval
from picdeed.diffusion.models import check_base, load_base
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import suited

SUITS = {"sd": Sampler.DDIM, "sdxl": Sampler.DDIM, "sd3": Sampler.EULER, "flux": Sampler.EULER}


def test_every_family_knows_the_sampler_that_suits_it(folder: Path, family: str) -> None:
    sampler = suited(folder).sampler
    assert sampler is SUITS[family]
    base = load_base(folder)
    assert sampler in base.family.samplers(base.facts.prediction)


def test_a_unet_that_learned_a_flow_is_drawn_along_it(folders, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    path = own / "scheduler" / "scheduler_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"prediction_type": "flow_prediction"})
    )
    sampler = suited(own).sampler
    base = load_base(own)
    assert sampler in base.family.samplers(base.facts.prediction)
    assert SUITS["sd"] not in base.family.samplers(base.facts.prediction)


@pytest.mark.parametrize("text", ["[]", "{", "", '"v_prediction"'])
def test_an_odd_scheduler_is_left_to_whoever_loads_it(folders, tmp_path: Path, text: str) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    (own / "scheduler" / "scheduler_config.json").write_text(text)
    assert suited(own).sampler is Sampler.DDIM


def test_a_folder_without_an_index_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model_index\.json"):
        suited(tmp_path)


def test_a_deed_says_how_its_base_is_guided(folders, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    assert (suited(own).guidance, suited(own).interval) == (USUAL, ALWAYS)
    told = {"guidance": 4, "guidance_start": 0.15, "guidance_stop": 0.8}
    (own / "deed.json").write_text(json.dumps({"sampling": told}))
    assert (suited(own).guidance, suited(own).interval) == (4.0, Interval(0.15, 0.8))


@pytest.mark.parametrize(
    "told",
    [[], "much", {"guidance": "4"}, {"guidance": True}, {"guidance": -1}, {"guidance": 101},
     {"guidance_start": 0.9, "guidance_stop": 0.8}, {"guidance_stop": 2}, {"scale": 4}],
)  # fmt: skip
def test_a_deed_that_asks_for_what_cannot_be_is_named(folders, tmp_path: Path, told) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    (own / "deed.json").write_text(json.dumps({"sampling": told}))
    with pytest.raises(UsageError, match=r"deed\.json") as refused:
        suited(own)
    assert "sampling" in refused.value.hint
    with pytest.raises(UsageError, match=r"deed\.json"):
        check_base(own)
