"""Are the maps the weights that the layers used, and does recording change nothing?"""

import numpy as np
import pytest
import torch

from picdeed.diffusion.inside.attention import attention, recorded, words_of
from picdeed.diffusion.inside.views import Role
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw


@pytest.fixture
def base(taught_base):
    return load_base(taught_base)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_recording_changes_nothing(base, guidance):
    (plain,) = draw(base, ["ab c"], [7], steps=3, guidance=guidance)
    seen = attention(base, "ab c", 7, steps=3, guidance=guidance)
    (after,) = draw(base, ["ab c"], [7], steps=3, guidance=guidance)
    assert plain.tobytes() == seen.picture.tobytes() == after.tobytes()


def test_each_places_attention_adds_up_to_1(base):
    seen = attention(base, "ab c", 7, steps=3)
    assert {word.maps.shape for word in seen.words} == {(3, 8, 8)}
    assert np.allclose(sum(word.maps for word in seen.words), 1, atol=1e-5)
    assert np.allclose(sum(word.map for word in seen.words), 1, atol=1e-5)
    assert sum(word.share for word in seen.words) == pytest.approx(1, abs=1e-5)
    assert set(seen.sides) == {4}


def test_the_weights_are_the_ones_that_the_layer_used(base):
    name, layer = next((n, m) for n, m in base.network.named_modules() if n.endswith("attn2"))
    kept = {}
    hook = layer.register_forward_hook(
        lambda _, given, named, told: kept.update(x=given[0], **named, out=told), with_kwargs=True
    )
    with recorded(base.network) as weights:
        draw(base, ["ab c"], [7], steps=1)
    hook.remove()
    with torch.no_grad():
        queries = layer.head_to_batch_dim(layer.to_q(kept["x"][-1:]))
        words = kept["encoder_hidden_states"][-1:]
        keys, values = (layer.head_to_batch_dim(f(words)) for f in (layer.to_k, layer.to_v))
        shares = layer.get_attention_scores(queries, keys)
        ours = layer.to_out[0](layer.batch_to_head_dim(torch.bmm(shares, values)))
    assert torch.allclose(ours, kept["out"][-1:], atol=1e-5)
    assert torch.allclose(shares.mean(0), weights[name][0], atol=1e-6)


def test_with_guidance_it_is_the_prompt_that_is_recorded(base):
    """At the first step both draw from the same noise, so their weights are the same."""
    found = []
    for guidance in (1.0, 5.0):
        with recorded(base.network) as weights:
            draw(base, ["ab c"], [7], steps=1, guidance=guidance)
        found.append(next(iter(weights.values()))[0])
    assert torch.allclose(*found, atol=1e-5)


def test_tokens_become_words_again(base):
    # The tiny base knows letters only: every word is several tokens.
    found = words_of(base.tokenizer, "ab c")
    assert [(text, role) for text, role, _ in found] == [
        ("start", Role.START), ("ab", Role.WORD), ("c", Role.WORD), ("end", Role.END),
        ("padding", Role.PADDING),
    ]  # fmt: skip
    places = [place for _, _, several in found for place in several]
    assert places == list(range(base.tokenizer.model_max_length))
    assert [len(several) for _, _, several in found] == [1, 2, 1, 1, 11]


def test_an_empty_prompt_has_no_words(base):
    assert [role for _, role, _ in words_of(base.tokenizer, "")] == [
        Role.START, Role.END, Role.PADDING,
    ]  # fmt: skip


def test_what_does_not_fit_is_not_told(base):
    found = words_of(base.tokenizer, "abcdefgh ijklmnop qrst")
    assert [text for text, _, _ in found] == ["start", "abcdefgh", "ijklmn", "end"]
    assert attention(base, "abcdefgh ijklmnop qrst", 1, steps=1).words[-1].role is Role.END


def test_a_picture_that_fails_leaves_no_hook(base):
    with pytest.raises(ZeroDivisionError), recorded(base.network):
        raise ZeroDivisionError
    assert not any(layer._forward_pre_hooks for layer in base.network.modules())
