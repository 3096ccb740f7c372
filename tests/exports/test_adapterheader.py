"""Is a licence never invented, a family never guessed, and a header always short enough to read?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.exports.adapterheader import (
    LONGEST_TAG,
    MOST_TAGS,
    BaseLooks,
    Family,
    hash_of_data,
    license_of,
    licenses_in,
    looks_of,
    tag_frequency,
)

SD1 = {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4}
VAE = {"block_out_channels": [128, 256, 512, 512]}


def base(folder: Path, unet: object, prediction: str | None = None) -> Path:
    for part, config in (("unet", unet), ("vae", VAE)):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps(config))
    if prediction is not None:
        (folder / "scheduler").mkdir()
        told = json.dumps({"prediction_type": prediction})
        (folder / "scheduler" / "scheduler_config.json").write_text(told)
    return folder


@pytest.mark.parametrize(
    ("pictures", "own", "joined"),
    [
        (["CC0-1.0"], "CC0-1.0", "CC0-1.0"),
        (["MIT", "CC-BY-4.0"], "Apache-2.0", "Apache-2.0 AND CC-BY-4.0 AND MIT"),
        (["Apache-2.0 OR MIT"], "MIT", "(Apache-2.0 OR MIT) AND MIT"),
        (["MIT"], "LicenseRef-picdeed-x", "LicenseRef-picdeed-x AND MIT"),
        (["MIT"], "NOASSERTION", "NOASSERTION"),
        (["MIT", "NOASSERTION"], "MIT", "NOASSERTION"),
        (["MIT", "whatever it was"], "MIT", "NOASSERTION"),
        ([], "NOASSERTION", "NOASSERTION"),
    ],
)
def test_the_license_is_what_all_of_them_say(pictures: list[str], own: str, joined: str) -> None:
    assert license_of(pictures, own) == joined


def test_papers_that_hold_no_licences_give_none() -> None:
    assert licenses_in({"picdeed.licenses": '{"MIT": 3}'}) == {"MIT": 3}
    assert licenses_in({}) == licenses_in({"picdeed.licenses": "MIT"}) == {}
    assert licenses_in({"picdeed.licenses": "[1]"}) == {}


@pytest.mark.parametrize(
    ("changes", "prediction", "named"),
    [
        ({}, "epsilon", ("stable-diffusion-v1", "sd_v1", False)),
        ({"cross_attention_dim": 1024}, "epsilon", ("stable-diffusion-v2-512", "sd_v2", True)),
        ({"cross_attention_dim": 1024}, "v_prediction", ("stable-diffusion-v2-768-v", "sd_v2", True)),
        ({"in_channels": 9}, "epsilon", ("mine", "mine", None)),
        ({"cross_attention_dim": 16}, "epsilon", ("mine", "mine", None)),
        ({"block_out_channels": "many"}, "epsilon", ("mine", "mine", None)),
    ],
)  # fmt: skip
def test_a_family_is_known_by_its_shapes(
    tmp_path: Path, changes: dict[str, object], prediction: str, named: tuple[str, str, bool]
) -> None:
    looks = looks_of(base(tmp_path / "b", SD1 | {"sample_size": 64} | changes, prediction), "mine")
    family = looks.family
    assert (family.architecture, family.version, family.is_v2) == named
    assert (looks.side, looks.prediction) == (512, "v" if prediction[0] == "v" else "epsilon")


def test_a_folder_that_is_gone_or_broken_says_nothing(tmp_path: Path) -> None:
    nothing = BaseLooks(Family("mine", "mine"), None, None)
    assert looks_of(tmp_path / "gone", "mine") == nothing
    assert looks_of(base(tmp_path / "odd", [1]), "mine") == nothing


def test_tags_are_counted_as_sd_scripts_counts_them() -> None:
    found = tag_frequency(["Ink, a cat,,", "ink,a dog", "a cat", "x" * (LONGEST_TAG + 1)])
    assert list(found.items()) == [("a cat", 2), ("ink", 2), ("a dog", 1)]
    many = tag_frequency(["first", *(f"tag {n}" for n in range(2 * MOST_TAGS)), "first"])
    assert len(many) == MOST_TAGS
    assert many["first"] == 2


def test_the_hash_is_of_everything_behind_the_header() -> None:
    header = b"{}      "
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_of_data(len(header).to_bytes(8, "little") + header) == empty
    assert hash_of_data(len(header).to_bytes(8, "little") + header + b"x") != empty
