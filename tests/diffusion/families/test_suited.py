"""Does a base draw by a sampler that it knows when nobody names one?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.models import load_base
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import suited_sampler

SUITS = {"sd": Sampler.DDIM, "sdxl": Sampler.DDIM, "sd3": Sampler.EULER, "flux": Sampler.EULER}


def test_every_family_knows_the_sampler_that_suits_it(folder: Path, family: str) -> None:
    sampler = suited_sampler(folder)
    assert sampler is SUITS[family]
    base = load_base(folder)
    assert sampler in base.family.samplers(base.facts.prediction)


def test_a_unet_that_learned_a_flow_is_drawn_along_it(folders, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    path = own / "scheduler" / "scheduler_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"prediction_type": "flow_prediction"})
    )
    sampler = suited_sampler(own)
    base = load_base(own)
    assert sampler in base.family.samplers(base.facts.prediction)
    assert SUITS["sd"] not in base.family.samplers(base.facts.prediction)


@pytest.mark.parametrize("text", ["[]", "{", "", '"v_prediction"'])
def test_an_odd_scheduler_is_left_to_whoever_loads_it(folders, tmp_path: Path, text: str) -> None:
    own = Path(shutil.copytree(folders["sd"], tmp_path / "own"))
    (own / "scheduler" / "scheduler_config.json").write_text(text)
    assert suited_sampler(own) is Sampler.DDIM


def test_a_folder_without_an_index_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model_index\.json"):
        suited_sampler(tmp_path)
