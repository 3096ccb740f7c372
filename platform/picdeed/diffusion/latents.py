"""Where do the cached latents of one picture lie? No torch in here: erasing needs none."""

from __future__ import annotations

import shutil
from pathlib import Path

REPLAYS = "replay"
"""In a registry's cache: the run folders of replays, each with a cache of its own, and those of
estimates. They are removed at the end; a killed one leaves its own until the next."""


def latents_of(folder: Path, picture: str) -> Path:
    """The folder of everything that was encoded from a picture (an id), in a cache folder."""
    return folder / "latents" / picture


def embeddings_of(folder: Path) -> Path:
    """The folder of the captions' embeddings, named by hashes that tell no caption."""
    return folder / "prompts"


def forget(folder: Path, picture: str) -> None:
    """Remove what was derived from a picture; nothing to remove is no error."""
    shutil.rmtree(latents_of(folder, picture), ignore_errors=True)


def forget_embeddings(folder: Path) -> None:
    """Remove every caption's embedding: they are made again when they are needed."""
    shutil.rmtree(embeddings_of(folder), ignore_errors=True)
