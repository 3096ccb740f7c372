"""What does `dedup` take, and which way does it go? A list, a model, or codes and corners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picdeed.cli.against import dedup_against, tell_copies
from picdeed.cli.show import print_document, say
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.cli.app import Call
    from picdeed.flow.embedding import Embedded

EmbeddingFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="A local vision model (SSCD, DINOv2, CLIP; safetensors) proposes further pairs; "
        "pixels decide.",
    ),
]
EmbeddingThreshold = Annotated[
    float | None,
    typer.Option(metavar="T", help="The cosine from which on it proposes; default by its kind."),
]


def find_copies(
    call: Call,
    dataset: str | None,
    against: str | None,
    embedding: Path | None,
    threshold: float | None,
) -> None:
    """Ask, and show. Raises UsageError for options that do not go together."""
    from picdeed.flow import pipeline

    _require_one_way(against, embedding, threshold)
    opened = call.open()
    if against is not None:
        dedup_against(call, opened, against, dataset)
        return
    with call.progress() as progress:
        if embedding is None:
            done = pipeline.dedup(opened, dataset, progress=progress)
        else:
            done = pipeline.dedup_by_embedding(
                opened, embedding, dataset, threshold=threshold, progress=progress
            )
    if call.as_json:
        print_document("dedup", done)
        return
    tell_copies(done)
    _tell_embedded(done.embedding)


def _require_one_way(against: str | None, embedding: Path | None, threshold: float | None) -> None:
    if threshold is not None and embedding is None:
        raise UsageError(
            "--embedding-threshold stands without --embedding; nothing was compared.",
            hint="Add --embedding FOLDER.",
        )
    if against is not None and embedding is not None:
        raise UsageError(
            "--embedding is about registered pictures and --against about a list; nothing was "
            "compared.",
            hint="Call dedup once with each of them.",
        )


def _tell_embedded(done: Embedded | None) -> None:
    """What a model proposed, and what came of it."""
    if done is None:
        return
    say(
        f"{done.model} from {done.threshold:g} on: {done.proposed} pairs, {done.looked_at} of them "
        f"not compared before; the pixels found {done.found} copies among these",
        "bold",
    )
    if done.cut:
        say(
            f"! {done.cut} pictures are near more others than the {done.most} that are looked at: "
            "a higher --embedding-threshold, or copies may be missed",
            "yellow",
        )
    if done.unread:
        say(f"! {done.unread} pictures do not decode; picdeed audit names them", "yellow")
