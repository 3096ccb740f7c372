"""Does a local vision model give repeatable vectors, under a name of its own, or is it refused?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from scenes import scene
from tiny_towers import KINDS, SIDE, write_tower

from picdeed.core.errors import UsageError
from picdeed.diffusion.embedding import open_embedder


@pytest.fixture(scope="session")
def towers(tmp_path_factory) -> Path:
    """A folder of each kind. Shared and therefore never written to."""
    place = tmp_path_factory.mktemp("towers")
    for kind in KINDS:
        write_tower(place / kind, kind)
    return place


@pytest.fixture
def own(towers, tmp_path) -> Path:
    """A DINOv2 folder that a test may damage."""
    return Path(shutil.copytree(towers / "dinov2", tmp_path / "own"))


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_lies_nearer_than_strangers(towers, kind):
    embedder = open_embedder(towers / kind)
    pictures = [scene(seed) for seed in range(6)]
    found = embedder.embed([*pictures, pictures[0].resize((240, 180))])
    assert found.dtype == np.float32
    assert found.shape == (7, embedder.numbers)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    near = found[:6] @ found[6]
    assert near.argmax() == 0
    assert near[0] > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_does_not_depend_on_its_neighbours(towers, kind):
    pictures = [scene(1), scene(2, (300, 420)), scene(3)]
    embedder = open_embedder(towers / kind, torch.device("cpu"))
    together = embedder.embed(pictures)
    alone = np.concatenate([embedder.embed([one]) for one in reversed(pictures)])[::-1]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, open_embedder(towers / kind).embed(pictures))


def test_the_name_tells_kind_weights_config_and_preprocessing(own, towers):
    before = open_embedder(own).algorithm
    assert before == open_embedder(towers / "dinov2").algorithm
    assert before.startswith("embed:dinov2:")
    assert len(before.rpartition(":")[2]) == 16
    seen = {before}
    edit_json(own / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    seen.add(open_embedder(own).algorithm)
    edit_json(own / "config.json", layer_norm_eps=1e-5)
    seen.add(open_embedder(own).algorithm)
    edit_weights(own, lambda tensors: tensors["layernorm.bias"].add_(1e-3))
    seen.add(open_embedder(own).algorithm)
    assert len(seen) == 4


def test_shards_are_read_by_their_index(towers, tmp_path):
    from transformers import Dinov2Model

    folder = Path(shutil.copytree(towers / "dinov2", tmp_path / "shards"))
    model = Dinov2Model.from_pretrained(folder, local_files_only=True)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    whole, parts = open_embedder(towers / "dinov2"), open_embedder(folder)
    assert np.array_equal(whole.embed([scene(1)]), parts.embed([scene(1)]))
    index = folder / "model.safetensors.index.json"
    edit_json(index, weight_map={"layernorm.bias": "../../elsewhere.safetensors"})
    with pytest.raises(UsageError, match="outside its folder"):
        open_embedder(folder)


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("kind", ["sscd", "clip"])
def test_a_line_of_pixels_is_no_gigabyte(towers, kind, size):
    found = open_embedder(towers / kind).embed([Image.new("RGB", size, "red")])
    assert np.isfinite(found).all()


def test_of_a_very_long_picture_the_middle_is_seen(towers):
    embedder = open_embedder(towers / "sscd")
    middle = scene(1, (480, 60))
    long = Image.new("RGB", (2000, 60), "black")
    long.paste(middle, (760, 0))
    assert np.array_equal(embedder.embed([long]), embedder.embed([middle]))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(own, name):
    (own / name).unlink()
    with pytest.raises(UsageError, match=name):
        open_embedder(own)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        open_embedder(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "sscd.torchscript.pt", "deep/x.PTH", "a.py"])
def test_a_pickle_or_code_beside_the_weights_refuses_the_folder(own, name):
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UsageError, match=Path(name).name) as caught:
        open_embedder(own)
    assert "safetensors" in caught.value.hint


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_remote_code_is_refused(own, name):
    edit_json(own / name, auto_map={"AutoModel": "somebody/repository--modeling.Own"})
    with pytest.raises(UsageError, match=rf"{name}.*auto_map"):
        open_embedder(own)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("config.json", {"model_type": "llama"}, "'llama', which is not supported"),
        ("config.json", {"model_type": None}, "not supported"),
        ("config.json", {"hidden_size": 48}, "do not fit"),
        ("config.json", {"hidden_size": "wide"}, "do not fit"),
        ("config.json", {"num_hidden_layers": 3}, "lacks"),
        ("preprocessor_config.json", {"image_processor_type": "OwnProcessor"}, "OwnProcessor"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 100_000}}, "size"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 0}}, "size"),
        ("preprocessor_config.json", {"size": None, "crop_size": None}, "size"),
        ("preprocessor_config.json", {"image_mean": [0.5, "red"]}, "preprocessor_config"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(own, name, changes, said):
    edit_json(own / name, **changes)
    with pytest.raises(UsageError, match=said):
        open_embedder(own)


def test_a_size_that_the_model_does_not_take_is_named(towers, tmp_path):
    folder = Path(shutil.copytree(towers / "clip", tmp_path / "clip"))
    edit_json(folder / "preprocessor_config.json", crop_size={"height": 28, "width": 28})
    with pytest.raises(UsageError, match="does not fit the model"):
        open_embedder(folder)


def test_weights_that_are_not_finite_or_missing_or_misshapen_are_named(own):
    edit_weights(own, lambda tensors: tensors["layernorm.bias"][0].fill_(torch.nan))
    with pytest.raises(UsageError, match=r"layernorm\.bias"):
        open_embedder(own)
    edit_weights(own, lambda tensors: tensors.pop("layernorm.bias"))
    with pytest.raises(UsageError, match=r"lacks layernorm\.bias"):
        open_embedder(own)
    edit_weights(own, lambda tensors: tensors.update({"layernorm.bias": torch.zeros(5)}))
    with pytest.raises(UsageError, match="do not fit"):
        open_embedder(own)
    (own / "model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UsageError, match=r"model\.safetensors"):
        open_embedder(own)


def test_an_adapter_beside_the_weights_leads_nowhere_else(own, towers):
    (own / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}')
    found = open_embedder(own).embed([scene(1)])
    assert np.array_equal(found, open_embedder(towers / "dinov2").embed([scene(1)]))


def test_the_picture_is_prepared_as_its_folder_says(own):
    plain = open_embedder(own).embed([scene(1)])
    edit_json(own / "preprocessor_config.json", image_std=[0.1, 0.1, 0.1])
    assert not np.allclose(plain, open_embedder(own).embed([scene(1)]), atol=0.01)
    blurred = scene(1).filter(ImageFilter.GaussianBlur(9))
    assert not np.allclose(plain, open_embedder(own).embed([blurred]), atol=0.01)
    assert open_embedder(own).side == 64 > SIDE
