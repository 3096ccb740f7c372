"""Papers for an adapter that a test saves, and what a tiny UNet says with whatever is on it."""

import torch

from picdeed.diffusion.lora import Papers

PAPERS = Papers(
    base="tiny",
    base_sha256="d" * 64,
    snapshot="snp_1",
    snapshot_root="1f",
    run="run_1",
    decision="dec_1",
    licenses={"MIT": 3, "CC0-1.0": 9},
    recipe_sha256="e" * 64,
    notices_sha256="a" * 64,
)


def output(unet):
    generator = torch.Generator().manual_seed(5)
    latent = torch.randn(2, 4, 8, 8, generator=generator)
    prompt = torch.randn(2, 16, 16, generator=generator)
    with torch.no_grad():
        return unet(latent, torch.tensor([10, 900]), encoder_hidden_states=prompt).sample
