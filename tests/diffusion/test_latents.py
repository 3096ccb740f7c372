"""Are one picture's latents found and removed without torch, and nothing else?"""

from __future__ import annotations

from picdeed.diffusion import latents


def test_forgetting_one_picture_leaves_the_others_and_the_captions(tmp_path):
    for folder in (
        latents.latents_of(tmp_path, "img_1"),
        latents.latents_of(tmp_path, "img_2"),
        latents.embeddings_of(tmp_path),
    ):
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
    latents.forget(tmp_path, "img_1")
    latents.forget(tmp_path, "img_1")
    assert not latents.latents_of(tmp_path, "img_1").exists()
    assert latents.latents_of(tmp_path, "img_2").is_dir()
    assert latents.embeddings_of(tmp_path).is_dir()
    latents.forget_embeddings(tmp_path)
    assert not latents.embeddings_of(tmp_path).exists()
    assert latents.latents_of(tmp_path, "img_2").is_dir()
