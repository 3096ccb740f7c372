"""What lies under a name on Hugging Face's hub? A base's files, pinned by commit, and no code.

Network only here, and only when a user asked for it by name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import MissingPart, SourceError, UsageError

PARTS = (
    *("vae", "unet", "transformer", "scheduler"),
    *("text_encoder", "text_encoder_2", "text_encoder_3"),
    *("tokenizer", "tokenizer_2", "tokenizer_3"),
)
# A base's parts in diffusers' layout, and what is said about it. Nothing that could run code.
WANTED = (
    "model_index.json",
    "deed.json",
    *(f"{part}/*.{kind}" for part in PARTS for kind in ("json", "txt", "safetensors")),
    "README.md",
    *(f"{name}*" for name in ("LICENSE", "LICENCE", "COPYING", "NOTICE", "License", "Licence")),
)
# Second copies of the same weights, smaller or for other uses: one set is what is checked and used.
UNWANTED = ("*.fp16.*", "*.fp16-*", "*.non_ema.*", "*.non_ema-*", "*.bf16.*", "*.py", "*.bin")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A folder that holds one commit of a repository's wanted files."""

    folder: Path
    commit: str


def download(
    repository: str, revision: str | None, into: Path, *, endpoint: str | None = None
) -> Downloaded:
    """Fetch `ORG/NAME` at `revision` (its main branch) into a folder of its own under `into`.

    The commit is asked for first and then fetched, so that what comes is one state; a download
    that was cut off goes on. `endpoint` is another hub's address. Raises UsageError on a name
    that cannot be one, SourceError when the hub cannot be reached, does not know it or refuses,
    MissingPart without huggingface_hub.
    """
    if not _NAME.fullmatch(repository) or ".." in repository:
        raise UsageError(
            f"{repository[:200]!r} is no name on the hub; nothing was fetched.",
            hint="It has two parts: --hub ORG/NAME.",
        )
    # The library would also tell which torch and which tools work here, and ask for their list.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import HfApi, snapshot_download

        # Whichever HTTP client the library stands on, this is the name of its errors there.
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"Fetching from the hub needs {error.name}, which is not installed; nothing was "
            "fetched.",
            hint="pip install 'picdeed[train]'",
        ) from error
    try:
        info = HfApi(endpoint=endpoint).model_info(repository, revision=revision, timeout=_SECONDS)
        commit = _commit(info.sha)
        folder = into / f"{repository.replace('/', '--')}-{commit[:12]}"
        snapshot_download(
            repository,
            revision=commit,
            local_dir=folder,
            allow_patterns=list(WANTED),
            ignore_patterns=list(UNWANTED),
            endpoint=endpoint,
        )
    except (HTTPError, OSError, ValueError) as error:  # refused, unreachable, offline, no such name
        raise _failed(repository, revision, _first_line(error)) from error
    return Downloaded(folder, commit)


def _commit(said: object) -> str:
    """It becomes a folder's name: whoever answers must not choose another place."""
    if not isinstance(said, str) or not _COMMIT.fullmatch(said):
        raise ValueError(f"it names no commit but {str(said)[:60]!r}")
    return said


def _failed(repository: str, revision: str | None, why: str) -> SourceError:
    at = f" at {revision}" if revision else ""
    return SourceError(
        f"{repository}{at} could not be fetched from the hub: {why} Nothing was recorded.",
        hint="Without a network, fetch its folder elsewhere and add it by path: "
        "picdeed models add FOLDER.",
    )


def _first_line(error: Exception) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (said or type(error).__name__).rstrip(".")[:300] + "."
