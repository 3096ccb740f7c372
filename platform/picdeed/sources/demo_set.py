"""Which pictures does the demo start from? Good ones, and one for every reason to be stopped."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

from picdeed.core.errors import UsageError
from picdeed.sources.linocut import SUBJECTS, UNSEEN, caption, draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

AUTHOR = "picdeed"
LICENSE = "CC0-1.0"
TABLE = "metadata.jsonl"

_PROHIBITED = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"
_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/">
   <plus:DataMining>{_PROHIBITED}</plus:DataMining>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


class Cause(StrEnum):
    """Why a picture of the set does not become a member of its own."""

    EXACT_COPY = "exact-copy"
    JPEG_COPY = "jpeg-copy"
    WEBP_COPY = "webp-copy"
    SMALL_COPY = "small-copy"
    OPT_OUT = "opt-out"
    NON_COMMERCIAL = "non-commercial"
    UNLICENSED = "unlicensed"


COPIES: Mapping[Cause, tuple[str, str, str]] = {
    Cause.EXACT_COPY: ("panda", "panda-again.png", "key"),
    Cause.JPEG_COPY: ("sailboat", "sailboat-mail.jpg", "bell"),
    Cause.WEBP_COPY: ("mushroom", "mushroom-web.webp", "cup"),
    Cause.SMALL_COPY: ("whale", "whale-small.png", "carrot"),
}
"""What is copied, the copy's file name, and what is drawn in its place without the cause."""

OWN: Mapping[Cause, str] = {
    Cause.OPT_OUT: "owl",
    Cause.NON_COMMERCIAL: "snail",
    Cause.UNLICENSED: "crown",
}
"""The drawings that are stopped for what is said of them."""

_ASIDE = {*UNSEEN, *OWN.values(), *(spare for _, _, spare in COPIES.values())}
GOOD = tuple(word for word in SUBJECTS if word not in _ASIDE)
"""The subjects of the pictures that nothing speaks against."""


@dataclass(frozen=True, slots=True)
class DemoSet:
    """File names in `folder`. `special` gives the picture of each cause, `originals` what the
    copies among them are copies of."""

    folder: Path
    good: tuple[str, ...]
    special: Mapping[Cause, str]
    originals: Mapping[Cause, str]


def write_demo_pictures(folder: Path, *, without: Cause | str | None = None) -> DemoSet:
    """Draw the demo's pictures into `folder`, with their metadata.jsonl; the same bytes always.

    `without` takes one cause away: the mark or condition is not there, the copy is another
    drawing, and the set has one member more. Raises UsageError when the folder holds anything
    else.
    """
    absent = None if without is None else Cause(without)
    files: dict[str, bytes] = {}
    rows = []
    for word in GOOD:
        files[f"{word.replace(' ', '-')}.png"] = _png(draw(word))
        rows.append(_row(f"{word.replace(' ', '-')}.png", word))
    special, originals = {}, {}
    for cause, (word, copy, spare) in COPIES.items():
        name, data = (copy, _copy(cause, word))
        if cause is absent:
            name, data, word = f"{spare}.png", _png(draw(spare)), spare  # noqa: PLW2901 (the spare drawing takes the copy's place)
        else:
            originals[cause] = f"{word}.png"
        files[name] = data
        rows.append(_row(name, word))
        special[cause] = name
    for cause, word in OWN.items():
        name = special[cause] = f"{word}.png"
        present = cause is not absent
        files[name] = _png(draw(word), marked=cause is Cause.OPT_OUT and present)
        rows.append(_row(name, word, cause if present else None))
    _write(folder, files, rows)
    good = tuple(f"{word.replace(' ', '-')}.png" for word in GOOD)
    return DemoSet(folder, good, special, originals)


def _row(name: str, word: str, cause: Cause | None = None) -> dict[str, str]:
    row = {
        "file_name": name,
        "license": "CC-BY-NC-4.0" if cause is Cause.NON_COMMERCIAL else LICENSE,
        "author": AUTHOR,
        "title": word.capitalize(),
        "caption": caption(word),
    }
    if cause is Cause.UNLICENSED:
        del row["license"]
    return row


def _png(image: Image.Image, *, marked: bool = False) -> bytes:
    """PNG bytes; `marked` puts an XMP packet inside that reserves training."""
    chunks = PngImagePlugin.PngInfo()
    if marked:
        chunks.add_itxt("XML:com.adobe.xmp", _PACKET)
    return _encoded(image, "PNG", pnginfo=chunks)


def _copy(cause: Cause, word: str) -> bytes:
    image = draw(word)
    if cause is Cause.JPEG_COPY:
        return _encoded(image, "JPEG", quality=75)
    if cause is Cause.WEBP_COPY:
        return _encoded(image, "WEBP", quality=80)
    if cause is Cause.SMALL_COPY:
        side = image.width * 3 // 5
        return _png(image.resize((side, side), Image.Resampling.LANCZOS))
    return _png(image)


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _write(folder: Path, files: Mapping[str, bytes], rows: list[dict[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    foreign = sorted({entry.name for entry in folder.iterdir()} - {*files, TABLE})
    if foreign:
        raise UsageError(
            f"{folder} holds {foreign[0]} already; no demo picture was written.",
            hint="Name a new or empty folder.",
        )
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
