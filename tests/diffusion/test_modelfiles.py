"""Is what could run code named, and are weights read from where their index says, and only there?"""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from picdeed.core.errors import UsageError
from picdeed.diffusion.modelfiles import part_tensors, plain, read_json, refuse_code


def test_code_anywhere_is_named_and_weights_pass(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    (tmp_path / "tf_model.h5").write_bytes(b"")
    refuse_code(tmp_path, "embedding")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Weights.CKPT").write_bytes(b"")
    with pytest.raises(UsageError, match=r"Weights\.CKPT.*the embedding is refused"):
        refuse_code(tmp_path, "embedding")


@pytest.mark.parametrize("text", ["{", "[1]", "\xff", "[" * 100_000])
def test_what_is_no_json_object_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=r"config\.json"):
        read_json(tmp_path / "config.json", "base")


def test_private_keys_do_not_count():
    assert plain({"_name_or_path": "x", "size": 3}) == {"size": 3}


@pytest.mark.parametrize("listed", [{"a": 3}, {"a": "../x.safetensors"}, ["a"], {"a": "gone"}])
def test_an_index_that_leads_nowhere_is_refused(tmp_path, listed):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    with pytest.raises(UsageError):
        part_tensors(tmp_path, "model", "base")
